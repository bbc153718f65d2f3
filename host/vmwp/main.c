// SPDX-License-Identifier: Apache-2.0
/* vmwp: the worker process of one partition. The table of verbs is the whole front. */
#include "host/hypervisor/backend_kvm.h"
#include "host/vmwp/options.h"
#include "host/vmwp/worker.h"
#include "packaging/version.h"

#include <stdio.h>
#include <string.h>

static const char help_text[] = "usage: vmwp VERB [options]\n"
				"\n"
				"  run        host one partition; see vmwp run --help\n"
				"  probe      say whether this machine can run guests on KVM\n"
				"  help       this text\n"
				"\n"
				"  --version  name and version\n"
				"  --help     this text\n"
				"\n"
				"example: vmwp run --kernel vmlinuz --disk root.img\n";

static const char probe_help_text[] =
	"usage: vmwp probe\n"
	"\n"
	"Asks KVM for what vmwp needs of it, and runs a tiny guest. Exit status: 0 guests can\n"
	"run here; 1 they cannot, and one line says why.\n";

static int run_verb(int argc, char **argv)
{
	struct options options;
	const int parsed = options_parse(argc, argv, &options);
	if (parsed != 0)
		return parsed > 0 ? 0 : 2;
	return worker_run(&options);
}

static int probe_verb(int argc, char **argv)
{
	char why[1024];
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(probe_help_text, stdout);
		return 0;
	}
	if (argc > 1) {
		fprintf(stderr, "vmwp: probe takes no arguments, such as \"%s\"\n", argv[1]);
		return 2;
	}
	if (backend_kvm_probe(why, sizeof why) == 0) {
		puts("this machine can run guests on KVM");
		return 0;
	}
	fprintf(stderr, "vmwp: this machine cannot run guests on KVM: %s\n", why);
	return 1;
}

static int help_verb(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(help_text, stdout);
	return 0;
}

static int version_verb(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	version_print("vmwp");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"run", run_verb},
	{"probe", probe_verb},
	{"help", help_verb},
	{"--help", help_verb},
	{"--version", version_verb},
};

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs(help_text, stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "vmwp: \"%s\" is not a verb; use run or probe, or see vmwp help\n",
		argv[1]);
	return 2;
}
