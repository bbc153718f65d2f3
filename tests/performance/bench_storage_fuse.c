// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench storage, through FUSE: the disk as a file of vsc-disk, whose worker has its image
 * on tmpfs, beside a pass-through file of libfuse and qemu-storage-daemon's export of the
 * same image. One client, io_uring with O_DIRECT, uses each in turn; the programs that
 * are not in use sleep. Nobody is pinned: three programs share what processors there are.
 */
#include "tests/performance/bench_storage.h"

#include "tests/performance/measure.h"
#include "tests/performance/passthrough.h"
#include "tests/performance/process.h"
#include "tests/performance/raw_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define APPEAR_PATIENCE_NS 15000000000ull
#define STOP_PATIENCE_MS   5000u

/* A program that serves the image as a file. */
struct fuse_server {
	pid_t pid;			     /* 0: not running */
	char file[BENCH_STORAGE_PATH_BYTES]; /* to be opened by the client */
	const char *why;		     /* it could not be started */
	enum measure_verdict verdict;
};

struct fuse_bench {
	const struct sandbox *sandbox;
	char image[BENCH_STORAGE_PATH_BYTES];
	struct guest_worker worker;
	struct fuse_server product, libfuse, qemu;
};

static double on_product(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	const struct fuse_bench *bench = row->bench;
	return raw_file_run(bench->product.file, true, &row->load);
}

static double on_libfuse(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	const struct fuse_bench *bench = row->bench;
	return raw_file_run(bench->libfuse.file, true, &row->load);
}

static double on_qemu(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	const struct fuse_bench *bench = row->bench;
	return raw_file_run(bench->qemu.file, true, &row->load);
}

static double on_image(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	const struct fuse_bench *bench = row->bench;
	return raw_file_best(bench->image, &row->load);
}

/* ---- the programs ------------------------------------------------------------------------------
 */

static void server_stop(struct fuse_server *server)
{
	if (server->pid > 0)
		process_stop(server->pid, STOP_PATIENCE_MS);
	server->pid = 0;
}

static void server_fail(struct fuse_server *server, const char *why)
{
	server_stop(server);
	server->why = why;
	server->verdict = VERDICT_FAILED;
}

/* Until its file has the size of the image. */
static void server_wait(struct fuse_server *server, const char *name, const char *log)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	const uint64_t end = measure_now_ns() + APPEAR_PATIENCE_NS;
	struct stat st;
	while (stat(server->file, &st) != 0 || st.st_size != (off_t)BENCH_STORAGE_BYTES) {
		if (process_has_ended(server->pid)) {
			server->pid = 0;
			process_complain(name, log);
			server_fail(server, "the program ended (see above)");
			return;
		}
		if (measure_now_ns() > end) {
			process_complain(name, log);
			server_fail(server, "its file did not appear");
			return;
		}
		nanosleep(&pause, NULL);
	}
}

static int folder_make(const struct fuse_bench *bench, const char *name, char *path)
{
	snprintf(path, SANDBOX_PATH_BYTES, "%.100s/%s", bench->sandbox->work, name);
	return mkdir(path, 0700);
}

static void product_start(struct fuse_bench *bench)
{
	struct fuse_server *server = &bench->product;
	char program[PATH_MAX];
	char folder[SANDBOX_PATH_BYTES];
	char log[SANDBOX_PATH_BYTES];
	const char *const options[] = {"--disk", bench->image, NULL};
	snprintf(log, sizeof log, "%.100s/vsc-disk.log", bench->sandbox->work);
	if (process_find("vsc-disk", program, sizeof program) != 0) {
		fprintf(stderr, "hvbench: vsc-disk is missing beside hvbench: run make\n");
		server_fail(server, "vsc-disk is missing");
		return;
	}
	if (folder_make(bench, "disks", folder) != 0 ||
		guest_worker_start(&bench->worker, bench->sandbox, 100, options) != 0) {
		server_fail(server, "vmwp could not be started");
		return;
	}
	snprintf(server->file, sizeof server->file, "%s/disk-c0-t0-l0", folder);
	const char *const argv[] = {program, "--connect", bench->worker.socket, "--channels", "1",
		"--wait", "10", folder, NULL};
	server->pid = process_start(argv, PROCESS_ANYWHERE, log);
	if (server->pid > 0)
		server_wait(server, "vsc-disk", log);
	else
		server_fail(server, "vsc-disk could not be started");
}

static void libfuse_start(struct fuse_bench *bench)
{
	struct fuse_server *server = &bench->libfuse;
	char folder[SANDBOX_PATH_BYTES];
	if (folder_make(bench, "libfuse", folder) != 0) {
		server_fail(server, "no folder to mount on");
		return;
	}
	snprintf(server->file, sizeof server->file, "%s/disk", folder);
	server->pid = passthrough_start(bench->image, false, folder);
	if (server->pid > 0)
		server_wait(server, "the pass-through file system", "/dev/null");
	else
		server_fail(server, "fork failed");
}

static void qemu_start(struct fuse_bench *bench)
{
	struct fuse_server *server = &bench->qemu;
	char program[PATH_MAX];
	char log[SANDBOX_PATH_BYTES];
	char device[BENCH_STORAGE_PATH_BYTES + 128];
	char export[BENCH_STORAGE_PATH_BYTES + 128];
	if (process_find("qemu-storage-daemon", program, sizeof program) != 0) {
		server->verdict = VERDICT_ABSENT;
		server->why = "qemu-storage-daemon is not installed (package qemu-system-common)";
		return;
	}
	snprintf(log, sizeof log, "%.100s/qemu.log", bench->sandbox->work);
	snprintf(server->file, sizeof server->file, "%.100s/qemu-disk", bench->sandbox->work);
	snprintf(device, sizeof device,
		"driver=file,node-name=image,locking=off,aio=io_uring,filename=%s", bench->image);
	snprintf(export, sizeof export, "fuse,id=export,node-name=image,writable=on,mountpoint=%s",
		server->file);
	const int fd = open(server->file, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0600);
	if (fd >= 0)
		close(fd);
	const char *const argv[] = {program, "--blockdev", device, "--export", export, NULL};
	server->pid = process_start(argv, PROCESS_ANYWHERE, log);
	if (server->pid > 0)
		server_wait(server, "qemu-storage-daemon", log);
	else
		server_fail(server, "it could not be started");
}

/* ---- measuring ---------------------------------------------------------------------------------
 */

static void row_measure(struct report *report, const struct bench_storage_kind *kind,
	enum bench_storage_load_index load, double goal, const struct fuse_server *reference)
{
	const struct fuse_bench *bench = kind->bench;
	const struct bench_storage_row *row = bench_storage_row_make(kind, load, goal);
	const struct fuse_server *missing = bench->product.pid == 0	       ? &bench->product
					    : reference && reference->pid == 0 ? reference
									       : NULL;
	if (row == NULL)
		return;
	if (missing == NULL)
		report_case(report, &row->c);
	else
		report_without(report, &row->c, missing->verdict, missing->why);
}

static void cases_measure(struct report *report, struct fuse_bench *bench)
{
	static const double libfuse_goals[BENCH_STORAGE_LOADS] = {0, .9, 0, 0, .9};
	const struct bench_storage_kind libfuse = {"storage/fuse", "/libfuse",
		"libfuse pass-through, same image", on_product, on_libfuse, bench};
	const struct bench_storage_kind qemu = {"storage/fuse", "/qemu",
		"qemu-storage-daemon, same image", on_product, on_qemu, bench};
	const struct bench_storage_kind raw = {"storage/fuse", "/raw",
		"raw io_uring or pread/pwrite, the faster", on_product, on_image, bench};
	for (unsigned i = 0; i < BENCH_STORAGE_LOADS; i++)
		row_measure(report, &libfuse, i, libfuse_goals[i], &bench->libfuse);
	row_measure(report, &qemu, BENCH_STORAGE_READ_32, 1.3, &bench->qemu);
	row_measure(report, &qemu, BENCH_STORAGE_WRITE_32, 1.3, &bench->qemu);
	row_measure(report, &raw, BENCH_STORAGE_READ_32, 0, NULL);
	row_measure(report, &raw, BENCH_STORAGE_READ_1M, 0, NULL);
}

static void without(struct report *report, struct fuse_bench *bench, const char *why)
{
	const struct bench_storage_kind kind = {
		"storage/fuse", "", "libfuse pass-through", on_product, on_libfuse, bench};
	report_without(report, &bench_storage_row_make(&kind, BENCH_STORAGE_READ_32, 0.9)->c,
		VERDICT_ABSENT, why);
}

void bench_storage_fuse(struct report *report, const struct sandbox *sandbox)
{
	static struct fuse_bench bench;
	bench.sandbox = sandbox;
	if (access("/dev/fuse", R_OK | W_OK) != 0) {
		without(report, &bench, "no access to /dev/fuse: load the module fuse, or be root");
		return;
	}
	if (sandbox->memory[0] == '\0' || sandbox_file_make(sandbox->memory, "fuse-image",
						  BENCH_STORAGE_BYTES, bench.image) != 0) {
		without(report, &bench, "no tmpfs with room for an image");
		return;
	}
	measure_unpin();
	product_start(&bench);
	libfuse_start(&bench);
	qemu_start(&bench);
	cases_measure(report, &bench);
	server_stop(&bench.qemu);
	server_stop(&bench.libfuse);
	server_stop(&bench.product);
	guest_worker_stop(&bench.worker);
	unlink(bench.image);
	measure_pin(0);
}
