// SPDX-License-Identifier: Apache-2.0
/*
 * Which file systems are frozen for a backup: mount tables with everything odd in them, what the
 * administrator wants, and the order.
 */
#include "guest/ic_daemons/vss_policy_linux.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What lies below devices, as the test wants it: "7:0 /srv/images/a.img". */
struct stack {
	const char *const *files; /* NULL-terminated */
};

static bool on_backing_file(
	void *ctx, unsigned major, unsigned minor, unsigned n, char *path, size_t size)
{
	const struct stack *stack = ctx;
	for (const char *const *file = stack->files; *file != NULL; file++) {
		unsigned m;
		unsigned k;
		int at = 0;
		if (sscanf(*file, "%u:%u %n", &m, &k, &at) != 2 || m != major || k != minor)
			continue;
		if (n-- == 0) {
			snprintf(path, size, "%s", *file + at);
			return true;
		}
	}
	return false;
}

static unsigned looks; /* at paths, for their devices */

static bool on_device(void *ctx, const char *path, unsigned *major, unsigned *minor)
{
	(void)ctx;
	looks++;
	return sscanf(path, "/dev/loop%u", minor) == 1 && (*major = 7) != 0;
}

struct fixture {
	struct vss_mounts mounts;
	struct vss_config config;
	struct vss_plan plan;
};

static char *copy(const char *text, size_t *len)
{
	*len = strlen(text);
	char *out = malloc(*len + 1);
	memcpy(out, text, *len);
	return out;
}

static void make_below(struct fixture *f, const char *mounts, const char *config,
	const char *const *files, const char *below)
{
	static const char *const none[] = {NULL};
	struct stack stack = {.files = files != NULL ? files : none};
	const struct vss_stack_ops ops = {
		.backing_file = on_backing_file, .device = on_device, .ctx = &stack};
	char error[256] = "";
	size_t len;
	char *text = copy(mounts, &len);
	CU_ASSERT_EQUAL_FATAL(vss_mounts_parse(text, len, &f->mounts), 0);
	vss_config_init(&f->config);
	text = copy(config, &len);
	CU_ASSERT_EQUAL_FATAL(vss_config_parse(&f->config, text, len, error, sizeof error), 0);
	CU_ASSERT_EQUAL_FATAL(vss_plan_make(&f->mounts, &f->config, below, &ops, &f->plan), 0);
}

static void make(
	struct fixture *f, const char *mounts, const char *config, const char *const *files)
{
	make_below(f, mounts, config, files, NULL);
}

static void drop(struct fixture *f)
{
	vss_plan_free(&f->plan);
	vss_config_free(&f->config);
	vss_mounts_free(&f->mounts);
}

/* The mount points to freeze, in order, joined by spaces. */
static const char *order(const struct fixture *f)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < f->plan.order_count && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
			f->mounts.at[f->plan.order[i].mount].point);
	return text;
}

/* The decision on the last mount at a point. */
static struct vss_decision decision(const struct fixture *f, const char *point)
{
	for (size_t i = f->mounts.count; i-- > 0;) {
		if (strcmp(f->mounts.at[i].point, point) == 0)
			return f->plan.decisions[i];
	}
	CU_FAIL_FATAL("no such mount");
	return (struct vss_decision){0};
}

static const char *other(const struct fixture *f, const char *point)
{
	const size_t at = decision(f, point).other;
	return at == VSS_MOUNT_NONE ? "none" : f->mounts.at[at].point;
}

/* ---- the table ----------------------------------------------------------------------------- */

static void table_is_read_with_all_its_fields(void)
{
	struct fixture f;
	make(&f,
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
		"40 36 0:32 / /run rw shared:5 master:2 propagate_from:3 - tmpfs tmpfs rw,size=9k\n"
		"41 36 8:1 / /boot ro,relatime - ext2  ro\n"
		"42 36 8:2 / /a\\040b\\011c\\134d rw - xfs /dev/s\\012x rw\n",
		"", NULL);
	CU_ASSERT_EQUAL_FATAL(f.mounts.count, 4);
	const struct vss_mount *mount = &f.mounts.at[0];
	CU_ASSERT_EQUAL(mount->id, 36);
	CU_ASSERT_EQUAL(mount->parent, 35);
	CU_ASSERT_EQUAL(mount->major, 98);
	CU_ASSERT_EQUAL(mount->minor, 0);
	CU_ASSERT_STRING_EQUAL(mount->root, "/mnt1");
	CU_ASSERT_STRING_EQUAL(mount->point, "/mnt2");
	CU_ASSERT_STRING_EQUAL(mount->type, "ext3");
	CU_ASSERT_STRING_EQUAL(mount->source, "/dev/root");
	CU_ASSERT_STRING_EQUAL(mount->super_options, "rw,errors=continue");
	CU_ASSERT_FALSE(mount->is_read_only);
	CU_ASSERT_STRING_EQUAL(f.mounts.at[1].type, "tmpfs");
	CU_ASSERT_STRING_EQUAL(f.mounts.at[2].source, "");
	CU_ASSERT_TRUE(f.mounts.at[2].is_read_only);
	CU_ASSERT_STRING_EQUAL(f.mounts.at[3].point, "/a b\tc\\d");
	CU_ASSERT_STRING_EQUAL(f.mounts.at[3].source, "/dev/s\nx");
	drop(&f);
}

static void lines_that_are_none_are_left_out(void)
{
	struct fixture f;
	make(&f,
		"\n"
		"36\n"
		"36 35 98 /a /b rw - ext3 d rw\n"
		"36 35 98:0 /a /b rw ext3 d rw\n"
		"36 35 98:0 /a b rw - ext3 d rw\n"
		"x 35 98:0 /a /b rw - ext3 d rw\n"
		"36 35 98:0 /a /b rw - ext3 d\n"
		"36 35 99999999999:0 /a /b rw - ext3 d rw\n"
		"-1 35 98:0 /a /b rw - ext3 d rw\n"
		"36 35 98:0 / /ok rw - ext3 d rw",
		"", NULL);
	CU_ASSERT_EQUAL(f.mounts.count, 1);
	CU_ASSERT_EQUAL(f.mounts.malformed, 9);
	CU_ASSERT_STRING_EQUAL(order(&f), "/ok");
	drop(&f);
	make(&f, "", "", NULL);
	CU_ASSERT_EQUAL(f.plan.order_count, 0);
	drop(&f);
}

/* A mount may be read-only where its file system is not, and the word may stand anywhere. */
static void read_only_is_a_word_of_the_file_systems_options(void)
{
	struct fixture f;
	make(&f,
		"1 0 8:1 / /a rw - ext4 d rw,errors=remount-ro\n"
		"2 1 8:2 / /b rw - ext4 d seclabel,ro\n"
		"3 1 8:3 / /c ro - ext4 d rw\n"
		"4 1 8:4 / /d rw - ext4 d rotate,rw\n",
		"", NULL);
	CU_ASSERT_FALSE(f.mounts.at[0].is_read_only);
	CU_ASSERT_TRUE(f.mounts.at[1].is_read_only);
	CU_ASSERT_FALSE(f.mounts.at[2].is_read_only);
	CU_ASSERT_FALSE(f.mounts.at[3].is_read_only);
	drop(&f);
}

static void escapes_are_three_octal_digits(void)
{
	static const struct {
		const char *escaped;
		const char *plain;
	} cases[] = {
		{"", ""},
		{"\\040", " "},
		{"a\\", "a\\"},
		{"\\04", "\\04"},
		{"\\400", "\\400"},
		{"\\377", "\377"},
		{"\\000x", "\\000x"},
		{"\\0401", " 1"},
		{"\\134040", "\\040"},
		{"\\048", "\\048"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[16];
		snprintf(text, sizeof text, "%s", cases[i].escaped);
		vss_unescape(text);
		CU_ASSERT_STRING_EQUAL(text, cases[i].plain);
	}
}

static void paths_belong_to_the_longest_and_last_mount(void)
{
	struct fixture f;
	make(&f,
		"1 0 8:1 / / rw - ext4 a rw\n"
		"2 1 8:2 / /srv rw - ext4 b rw\n"
		"3 2 8:3 / /srv/x rw - ext4 c rw\n"
		"4 1 8:4 / /srv rw - ext4 d rw\n",
		"", NULL);
	static const struct {
		const char *path;
		size_t at;
	} cases[] = {
		{"/", 0},
		{"/etc", 0},
		{"/srvx", 0},
		{"/srv", 3},
		{"/srv/a", 3},
		{"/srv/x", 2},
		{"/srv/x/y", 2},
		{"/srv/xy", 3},
		{"srv", VSS_MOUNT_NONE},
		{"", VSS_MOUNT_NONE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CU_ASSERT_EQUAL(vss_mounts_of_path(&f.mounts, cases[i].path), cases[i].at);
	drop(&f);
}

/* ---- decisions ------------------------------------------------------------------------------ */

/* Every reason there is, once. */
static void every_kind_of_mount_has_its_reason(void)
{
	struct fixture f;
	static const struct {
		const char *point;
		enum vss_reason reason;
	} cases[] = {
		{"/", VSS_WHY_BLOCK},
		{"/proc", VSS_WHY_MEMORY},
		{"/run", VSS_WHY_MEMORY},
		{"/boot", VSS_WHY_BLOCK},
		{"/boot/efi", VSS_WHY_CANNOT},
		{"/snap", VSS_WHY_READ_ONLY},
		{"/cd", VSS_WHY_READ_ONLY},
		{"/old", VSS_WHY_READ_ONLY},
		{"/data", VSS_WHY_TYPE},
		{"/nfs", VSS_WHY_NETWORK},
		{"/cluster", VSS_WHY_CLUSTER},
		{"/sshfs", VSS_WHY_FUSE},
		{"/ntfs", VSS_WHY_FUSE},
		{"/merged", VSS_WHY_OVERLAY},
		{"/image", VSS_WHY_OVERLAY_READ_ONLY},
		{"/tank", VSS_WHY_NO_DEVICE},
		{"/odd", VSS_WHY_NO_DEVICE},
		{"/auto", VSS_WHY_MEMORY},
	};
	make(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 0:5 / /proc rw - proc proc rw\n"
		"3 1 0:6 / /run rw - tmpfs tmpfs rw\n"
		"4 1 8:2 / /boot rw - ext2 /dev/sda2 rw\n"
		"5 4 8:3 / /boot/efi rw - vfat /dev/sda3 rw\n"
		"6 1 7:0 / /snap ro - squashfs /dev/loop0 ro\n"
		"7 1 11:0 / /cd ro - iso9660 /dev/sr0 ro\n"
		"8 1 8:4 / /old ro - ext4 /dev/sda4 ro\n"
		"9 1 0:40 / /data rw - btrfs /dev/sdb rw\n"
		"10 1 0:41 / /nfs rw - nfs4 h:/x rw\n"
		"11 1 8:5 / /cluster rw - gfs2 /dev/sdc rw\n"
		"12 1 0:42 / /sshfs rw - fuse.sshfs u@h: rw\n"
		"13 1 8:6 / /ntfs rw - fuseblk /dev/sda6 rw\n"
		"14 1 0:43 / /merged rw - overlay overlay "
		"rw,lowerdir=/l,upperdir=/data/u,workdir=/data/w\n"
		"15 1 0:44 / /image ro - overlay overlay ro,lowerdir=/l:/m\n"
		"16 1 0:45 / /tank rw - zfs tank rw\n"
		"17 1 0:46 / /odd rw - oddfs none rw\n"
		"18 1 0:47 / /auto rw - autofs systemd-1 rw\n",
		"", NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CU_ASSERT_EQUAL(decision(&f, cases[i].point).reason, cases[i].reason);
	CU_ASSERT_STRING_EQUAL(other(&f, "/merged"), "/data");
	CU_ASSERT_STRING_EQUAL(other(&f, "/image"), "none");
	CU_ASSERT_STRING_EQUAL(order(&f), "/data /boot /");
	drop(&f);
}

/* A container's overlay on a disk of its own: that disk is frozen, the overlay is not. */
static void overlay_names_where_its_upper_layer_is(void)
{
	struct fixture f;
	make(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 8:16 / /var/lib/docker rw - xfs /dev/sdb rw\n"
		"3 2 0:50 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay "
		"rw,lowerdir=/var/lib/docker/l/A:/var/lib/docker/l/B,"
		"upperdir=/var/lib/docker/overlay2/abc/diff,workdir=/var/lib/docker/overlay2/w\n",
		"", NULL);
	CU_ASSERT_STRING_EQUAL(other(&f, "/var/lib/docker/overlay2/abc/merged"), "/var/lib/docker");
	CU_ASSERT_STRING_EQUAL(order(&f), "/var/lib/docker /");
	drop(&f);
}

/* Bind mounts and subvolumes: one file system, one freeze; a read-only mount of it is no matter. */
static void each_file_system_is_frozen_once(void)
{
	struct fixture f;
	make(&f,
		"1 0 0:30 /@ / rw - btrfs /dev/sda2 rw,subvol=/@\n"
		"2 1 0:30 /@home /home rw - btrfs /dev/sda2 rw,subvol=/@home\n"
		"3 1 8:16 /www /srv/www ro - ext4 /dev/sdb rw\n"
		"4 1 8:16 / /srv rw - ext4 /dev/sdb rw\n"
		"5 1 8:16 /etc/hosts /etc/hosts rw - ext4 /dev/sdb rw\n",
		"", NULL);
	CU_ASSERT_STRING_EQUAL(order(&f), "/srv /");
	CU_ASSERT_EQUAL(decision(&f, "/home").reason, VSS_WHY_SAME);
	CU_ASSERT_STRING_EQUAL(other(&f, "/home"), "/");
	CU_ASSERT_EQUAL(decision(&f, "/srv/www").reason, VSS_WHY_SAME);
	CU_ASSERT_STRING_EQUAL(other(&f, "/srv/www"), "/srv");
	CU_ASSERT_STRING_EQUAL(other(&f, "/etc/hosts"), "/srv");
	drop(&f);
}

static void what_is_configured_goes_before_what_is_usual(void)
{
	static const char mounts[] = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
				     "2 1 8:2 / /a rw - ext4 /dev/sda2 rw\n"
				     "3 1 8:3 / /b\\040c rw - xfs /dev/sda3 rw\n"
				     "4 1 8:4 / /efi rw - vfat /dev/sda4 rw\n"
				     "5 1 0:9 / /tmp rw - tmpfs tmpfs rw\n"
				     "6 1 0:8 / /odd rw - oddfs none rw\n"
				     "7 1 8:2 /x /bound rw - ext4 /dev/sda2 rw\n";
	static const struct {
		const char *config;
		const char *order;
	} cases[] = {
		{"", "/b c /a /"},
		{"skip /a\n", "/b c /"},
		{"skip /bound\n", "/b c /"},
		{"skip /b\\040c\n", "/a /"},
		{"skip type ext4\n", "/b c"},
		{"skip type ext4\nfreeze /a\n", "/b c /a"},
		{"freeze /a\nskip /a\n", "/b c /"},
		{"freeze type oddfs\n", "/odd /b c /a /"},
		{"freeze type oddfs\nskip /odd\n", "/b c /a /"},
		{"freeze /efi\n", "/efi /b c /a /"},
		{"freeze /tmp\nfreeze type tmpfs\n", "/b c /a /"},
		{"  # nothing\n\nskip\t/a # it is scratch\r\n", "/b c /"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;
		make(&f, mounts, cases[i].config, NULL);
		CU_ASSERT_STRING_EQUAL(order(&f), cases[i].order);
		drop(&f);
	}
	struct fixture f;
	make(&f, mounts, "freeze /efi\n", NULL);
	CU_ASSERT_TRUE(f.plan.order[0].is_demanded);
	CU_ASSERT_FALSE(f.plan.order[1].is_demanded);
	drop(&f);
}

/* The root is not below a folder because something of it is mounted there. */
static void below_means_all_mounts_of_a_file_system(void)
{
	struct fixture f;
	make_below(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 7:1 / /t/a rw - ext4 /dev/loop1 rw\n"
		"3 1 8:1 /etc /t/etc rw - ext4 /dev/sda1 rw\n"
		"4 1 7:2 / /tt rw - ext4 /dev/loop2 rw\n",
		"", NULL, "/t");
	CU_ASSERT_STRING_EQUAL(order(&f), "/t/a");
	CU_ASSERT_EQUAL(decision(&f, "/t/etc").reason, VSS_WHY_OUTSIDE);
	CU_ASSERT_EQUAL(decision(&f, "/tt").reason, VSS_WHY_OUTSIDE);
	drop(&f);
}

/* ---- order ----------------------------------------------------------------------------------- */

static void what_is_stored_in_a_file_comes_before_it(void)
{
	struct fixture f;
	/* A file system on a file on a file system on a file on the root; mounted inside out. */
	make(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 7:1 / /inner rw - ext4 /dev/loop1 rw\n"
		"3 1 8:2 / /srv rw - ext4 /dev/sda2 rw\n"
		"4 1 7:0 / /outer rw - ext4 /dev/loop0 rw\n",
		"", (const char *const[]){"7:1 /outer/inner.img", "7:0 /srv/outer.img", NULL});
	CU_ASSERT_STRING_EQUAL(order(&f), "/inner /outer /srv /");
	drop(&f);
}

static void a_root_that_is_stored_in_a_file_is_not_the_last(void)
{
	struct fixture f;
	make(&f,
		"1 0 7:0 / / rw - ext4 /dev/loop0 rw\n"
		"2 1 8:1 / /host rw - ext4 /dev/sda1 rw\n"
		"3 1 8:2 / /other rw - ext4 /dev/sda2 rw\n",
		"", (const char *const[]){"7:0 /host/root.img (deleted)", NULL});
	CU_ASSERT_STRING_EQUAL(order(&f), "/other / /host");
	drop(&f);
}

/* LVM over two loop devices; btrfs, whose device has to be found by its name; a skipped one
 * between. */
static void devices_of_several_files_come_before_all_of_them(void)
{
	struct fixture f;
	make(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 8:2 / /p rw - ext4 /dev/sda2 rw\n"
		"3 1 8:3 / /q rw - ext4 /dev/sda3 rw\n"
		"4 1 253:0 / /lvm rw - xfs /dev/mapper/v-l rw\n"
		"5 1 0:77 / /pool rw - btrfs /dev/loop5 rw\n"
		"6 1 7:6 / /m rw - ext4 /dev/loop6 rw\n",
		"skip /m\n",
		(const char *const[]){"253:0 /p/1", "253:0 /q/2", "7:5 /m/5", "7:6 /lvm/6", NULL});
	/* /pool is in /m, which is left out, which is in /lvm: still before that. */
	CU_ASSERT_STRING_EQUAL(order(&f), "/pool /lvm /q /p /");
	drop(&f);
}

/*
 * Any user may mount by FUSE and name the source: to look at that path could wait for his program,
 * or have something mounted.
 */
static void a_source_that_a_user_has_named_is_not_looked_at(void)
{
	struct fixture f;
	looks = 0;
	make(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 0:50 / /home/u/m rw,nosuid,nodev - fuse.x /dev/loop9 rw,user_id=1000\n"
		"3 1 0:51 / /home/u/n rw,nosuid,nodev - fuse /net/far/away rw,user_id=1000\n",
		"", (const char *const[]){NULL});
	CU_ASSERT_EQUAL(looks, 0);
	CU_ASSERT_STRING_EQUAL(order(&f), "/");
	drop(&f);
	make(&f,
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"2 1 0:50 / /pool rw - btrfs /dev/loop9 rw\n",
		"", (const char *const[]){NULL});
	CU_ASSERT_EQUAL(looks, 1);
	drop(&f);
}

static void files_in_a_circle_end(void)
{
	struct fixture f;
	make(&f,
		"1 0 7:0 / / rw - ext4 /dev/loop0 rw\n"
		"2 1 7:1 / /a rw - ext4 /dev/loop1 rw\n",
		"", (const char *const[]){"7:0 /a/r", "7:1 /a/a", "7:1 /r", NULL});
	CU_ASSERT_EQUAL(f.plan.order_count, 2);
	drop(&f);
}

static void thousands_of_mounts_are_no_trouble(void)
{
	const size_t count = 20000;
	char *text = malloc(count * 100);
	size_t used = 0;
	struct fixture f;
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, 100,
			"%zu 1 %u:%zu / /mnt/%zu rw - %s /dev/x rw\n", i + 2, i % 3 == 0 ? 0u : 8u,
			i % 4000, i, i % 3 == 0 ? "overlay" : "ext4");
	make(&f, text, "", NULL);
	free(text);
	CU_ASSERT_EQUAL(f.mounts.count, count);
	size_t frozen = 0;
	size_t same = 0;
	for (size_t i = 0; i < count; i++) {
		frozen += vss_reason_is_frozen(f.plan.decisions[i].reason);
		same += f.plan.decisions[i].reason == VSS_WHY_SAME;
	}
	CU_ASSERT_EQUAL(frozen, 4000);
	CU_ASSERT_EQUAL(f.plan.order_count, 4000);
	CU_ASSERT_EQUAL(frozen + same, count - (count + 2) / 3);
	drop(&f);
	/* And past the bound they are refused. */
	text = malloc(VSS_MOUNTS_MAX + 2);
	memset(text, '\n', VSS_MOUNTS_MAX + 1);
	struct vss_mounts mounts;
	CU_ASSERT_EQUAL(vss_mounts_parse(text, VSS_MOUNTS_MAX + 1, &mounts), -E2BIG);
}

/* ---- configuration ----------------------------------------------------------------------------
 */

static void mistakes_of_a_configuration_are_named_with_their_line(void)
{
	static const struct {
		const char *text;
		const char *problem;
	} cases[] = {
		{"skip\n", "line 1, \"skip\": give a mount point"},
		{"\n#\nskip a\n", "line 3, \"skip\": a mount point begins with /"},
		{"skip type\n", "line 1, \"skip\": a mount point begins with /"},
		{"freeze type a b\n", "line 1, \"freeze\": give a mount point"},
		{"thaw /a", "line 1, \"thaw\": no such word"},
		{"before\n", "line 1, \"before\": give the absolute path"},
		{"before sync\n", "line 1, \"before\": give the absolute path"},
		{"scripts x\n", "line 1, \"scripts\": give the absolute path of a folder"},
		{"hook-seconds 0\n", "line 1, \"hook-seconds\": give a number"},
		{"hook-seconds -1\n", "give a number"},
		{"watchdog-seconds 3601\n", "give a number"},
		{"watchdog-seconds 1x\n", "give a number"},
		{"watchdog-seconds\n", "give a number"},
		{"after /a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "too many words"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct vss_config config;
		char error[256] = "";
		size_t len;
		char *text = copy(cases[i].text, &len);
		vss_config_init(&config);
		CU_ASSERT_EQUAL(vss_config_parse(&config, text, len, error, sizeof error), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(error, cases[i].problem));
		vss_config_free(&config);
	}
	struct vss_config config;
	char error[256];
	char *text = malloc(8);
	memcpy(text, "skip\0/a", 8);
	vss_config_init(&config);
	CU_ASSERT_EQUAL(vss_config_parse(&config, text, 7, error, sizeof error), -EINVAL);
	vss_config_free(&config);
}

static void hooks_keep_their_words(void)
{
	struct fixture f;
	make(&f, "",
		"before /bin/a\\040b --x  y\nafter /c\nhook-seconds 7\nwatchdog-seconds 3600\n"
		"scripts /s",
		NULL);
	CU_ASSERT_EQUAL_FATAL(f.config.hook_count, 2);
	CU_ASSERT_TRUE(f.config.hooks[0].is_before);
	CU_ASSERT_STRING_EQUAL(f.config.hooks[0].argv[0], "/bin/a b");
	CU_ASSERT_STRING_EQUAL(f.config.hooks[0].argv[2], "y");
	CU_ASSERT_PTR_NULL(f.config.hooks[0].argv[3]);
	CU_ASSERT_FALSE(f.config.hooks[1].is_before);
	CU_ASSERT_EQUAL(f.config.hook_seconds, 7);
	CU_ASSERT_EQUAL(f.config.watchdog_seconds, 3600);
	CU_ASSERT_STRING_EQUAL(f.config.scripts, "/s");
	drop(&f);
}

static void a_configuration_that_others_may_write_is_refused(void)
{
	char path[] = "/tmp/viridian-vss.XXXXXX";
	char error[256] = "";
	struct vss_config config;
	const int fd = mkstemp(path);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, "skip /a\n", 8), 8);
	CU_ASSERT_EQUAL(vss_config_read(&config, path, true, error, sizeof error), 0);
	CU_ASSERT_EQUAL(config.rule_count, 1);
	vss_config_free(&config);
	fchmod(fd, 0620);
	CU_ASSERT_EQUAL(vss_config_read(&config, path, true, error, sizeof error), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "only root may write"));
	fchmod(fd, 0602);
	CU_ASSERT_EQUAL(vss_config_read(&config, path, true, error, sizeof error), -EPERM);
	fchmod(fd, 0600);
	CU_ASSERT_EQUAL(ftruncate(fd, VSS_CONFIG_BYTES_MAX + 1), 0);
	CU_ASSERT_EQUAL(vss_config_read(&config, path, true, error, sizeof error), -EFBIG);
	close(fd);
	unlink(path);
	CU_ASSERT_EQUAL(vss_config_read(&config, path, false, error, sizeof error), 0);
	CU_ASSERT_EQUAL(config.watchdog_seconds, VSS_CONFIG_WATCHDOG_SECONDS);
	CU_ASSERT_EQUAL(vss_config_read(&config, path, true, error, sizeof error), -ENOENT);
	CU_ASSERT_EQUAL(vss_config_read(&config, "/tmp", true, error, sizeof error), -EPERM);
}

static const struct test tests[] = {
	TEST(table_is_read_with_all_its_fields),
	TEST(lines_that_are_none_are_left_out),
	TEST(read_only_is_a_word_of_the_file_systems_options),
	TEST(escapes_are_three_octal_digits),
	TEST(paths_belong_to_the_longest_and_last_mount),
	TEST(every_kind_of_mount_has_its_reason),
	TEST(overlay_names_where_its_upper_layer_is),
	TEST(each_file_system_is_frozen_once),
	TEST(what_is_configured_goes_before_what_is_usual),
	TEST(below_means_all_mounts_of_a_file_system),
	TEST(what_is_stored_in_a_file_comes_before_it),
	TEST(a_root_that_is_stored_in_a_file_is_not_the_last),
	TEST(devices_of_several_files_come_before_all_of_them),
	TEST(a_source_that_a_user_has_named_is_not_looked_at),
	TEST(files_in_a_circle_end),
	TEST(thousands_of_mounts_are_no_trouble),
	TEST(mistakes_of_a_configuration_are_named_with_their_line),
	TEST(hooks_keep_their_words),
	TEST(a_configuration_that_others_may_write_is_refused),
};
TEST_MAIN("vss_policy", tests)
