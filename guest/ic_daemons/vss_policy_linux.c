// SPDX-License-Identifier: Apache-2.0
/*
 * Which file systems are frozen, and in which order. See vss_policy_linux.h; what lies below
 * block devices is vss_stack_linux.c's.
 */
#include "guest/ic_daemons/vss_policy_linux.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Files on files on files: no more than this deep. */
#define DEPTH_MAX 32u

static const struct {
	bool is_frozen;
	const char *text;
} reasons[VSS_REASON_COUNT] = {
#define VSS_REASON_ROW(symbol, is_frozen, text) [symbol] = {is_frozen, text},
	VSS_REASONS(VSS_REASON_ROW)
#undef VSS_REASON_ROW
};

bool vss_reason_is_frozen(enum vss_reason reason)
{
	return reasons[reason].is_frozen;
}

const char *vss_reason_text(enum vss_reason reason)
{
	return reasons[reason].text;
}

/* ---- types ---------------------------------------------------------------------------------- */

/* Those with a block device need no row, unless they cannot be frozen. */
static const struct {
	const char *type;
	enum vss_reason reason;
} types[] = {
	{"9p", VSS_WHY_NETWORK},
	{"afs", VSS_WHY_NETWORK},
	{"bcachefs", VSS_WHY_TYPE},
	{"btrfs", VSS_WHY_TYPE},
	{"ceph", VSS_WHY_NETWORK},
	{"cifs", VSS_WHY_NETWORK},
	{"coda", VSS_WHY_NETWORK},
	{"cramfs", VSS_WHY_READ_ONLY},
	{"erofs", VSS_WHY_READ_ONLY},
	{"exfat", VSS_WHY_CANNOT},
	{"gfs2", VSS_WHY_CLUSTER},
	{"hfs", VSS_WHY_CANNOT},
	{"hfsplus", VSS_WHY_CANNOT},
	{"iso9660", VSS_WHY_READ_ONLY},
	{"lustre", VSS_WHY_NETWORK},
	{"minix", VSS_WHY_CANNOT},
	{"msdos", VSS_WHY_CANNOT},
	{"nfs", VSS_WHY_NETWORK},
	{"nfs4", VSS_WHY_NETWORK},
	{"ntfs", VSS_WHY_CANNOT},
	{"ntfs3", VSS_WHY_CANNOT},
	{"ocfs2", VSS_WHY_CLUSTER},
	{"orangefs", VSS_WHY_NETWORK},
	{"smb3", VSS_WHY_NETWORK},
	{"squashfs", VSS_WHY_READ_ONLY},
	{"udf", VSS_WHY_CANNOT},
	{"ufs", VSS_WHY_CANNOT},
	{"umsdos", VSS_WHY_CANNOT},
	{"vboxsf", VSS_WHY_NETWORK},
	{"vfat", VSS_WHY_CANNOT},
	{"virtiofs", VSS_WHY_NETWORK},
	{"zfs", VSS_WHY_NO_DEVICE},
};

/* File systems without a disk that the kernel makes. */
static const char *const memory_types[] = {
	"autofs",
	"bdev",
	"binfmt_misc",
	"bpf",
	"cgroup",
	"cgroup2",
	"configfs",
	"debugfs",
	"devpts",
	"devtmpfs",
	"efivarfs",
	"fusectl",
	"hugetlbfs",
	"mqueue",
	"nfsd",
	"nsfs",
	"proc",
	"pstore",
	"ramfs",
	"rootfs",
	"rpc_pipefs",
	"securityfs",
	"selinuxfs",
	"sysfs",
	"tmpfs",
	"tracefs",
};

static bool is_fuse(const char *type)
{
	return strcmp(type, "fuse") == 0 || strcmp(type, "fuseblk") == 0 ||
	       strncmp(type, "fuse.", 5) == 0;
}

/* What the type alone says. */
static enum vss_reason type_judge(const struct vss_mount *mount)
{
	for (size_t i = 0; i < sizeof memory_types / sizeof *memory_types; i++) {
		if (strcmp(memory_types[i], mount->type) == 0)
			return VSS_WHY_MEMORY;
	}
	if (is_fuse(mount->type))
		return VSS_WHY_FUSE;
	if (strcmp(mount->type, "overlay") == 0 || strcmp(mount->type, "aufs") == 0)
		return VSS_WHY_OVERLAY;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strcmp(types[i].type, mount->type) == 0)
			return types[i].reason;
	}
	return mount->major != 0 ? VSS_WHY_BLOCK : VSS_WHY_NO_DEVICE;
}

/* ---- one file system with all of its mounts --------------------------------------------- */

struct group {
	size_t first;  /* mount that stands for it */
	bool is_below; /* with all of its mounts */
	bool is_visited;
	const struct vss_rule *rule; /* that decides, or NULL */
};

struct work {
	const struct vss_mounts *mounts;
	const struct vss_config *config;
	const struct vss_stack_ops *stack;
	struct group *groups;
	size_t group_count;
	size_t *group_of; /* of each mount */
	size_t *sorted;	  /* mounts by their file system */
	struct vss_plan *plan;
};

static int mounts_compare(const void *a, const void *b, void *ctx)
{
	const struct vss_mounts *mounts = ctx;
	const size_t i = *(const size_t *)a;
	const size_t j = *(const size_t *)b;
	const struct vss_mount *left = &mounts->at[i];
	const struct vss_mount *right = &mounts->at[j];
	if (left->major != right->major)
		return left->major < right->major ? -1 : 1;
	if (left->minor != right->minor)
		return left->minor < right->minor ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* How good is a mount to stand for its file system, in the eyes of people? Less is better. */
static unsigned rank(const struct vss_mount *mount)
{
	if (strcmp(mount->point, "/") == 0)
		return 0;
	return strcmp(mount->root, "/") == 0 ? 1 : 2;
}

static void group_mounts(struct work *work)
{
	const struct vss_mounts *mounts = work->mounts;
	for (size_t i = 0; i < mounts->count; i++)
		work->sorted[i] = i;
	qsort_r(work->sorted, mounts->count, sizeof *work->sorted, mounts_compare,
		(void *)(uintptr_t)mounts);
	for (size_t i = 0; i < mounts->count; i++) {
		const size_t at = work->sorted[i];
		const struct vss_mount *mount = &mounts->at[at];
		const struct vss_mount *last = i > 0 ? &mounts->at[work->sorted[i - 1]] : NULL;
		if (last == NULL || last->major != mount->major || last->minor != mount->minor)
			work->groups[work->group_count++] = (struct group){
				.first = at, .is_below = true};
		struct group *group = &work->groups[work->group_count - 1];
		if (rank(mount) < rank(&mounts->at[group->first]))
			group->first = at;
		work->group_of[at] = work->group_count - 1;
	}
}

/* A rule on a mount point counts more than one on a type, and leaving out more than freezing. */
static unsigned weight(const struct vss_rule *rule)
{
	return (rule->is_type ? 0u : 2u) + (rule->is_skip ? 1u : 0u);
}

static void rules_apply(struct work *work, const char *below)
{
	const struct vss_config *config = work->config;
	for (size_t i = 0; i < work->mounts->count; i++) {
		const struct vss_mount *mount = &work->mounts->at[i];
		struct group *group = &work->groups[work->group_of[i]];
		if (below != NULL && !vss_path_is_below(mount->point, below))
			group->is_below = false;
		for (size_t r = 0; r < config->rule_count; r++) {
			const struct vss_rule *rule = &config->rules[r];
			if (strcmp(rule->name, rule->is_type ? mount->type : mount->point) == 0 &&
				(group->rule == NULL || weight(rule) > weight(group->rule)))
				group->rule = rule;
		}
	}
}

static enum vss_reason group_judge(const struct group *group, const struct vss_mount *mount)
{
	if (!group->is_below)
		return VSS_WHY_OUTSIDE;
	if (group->rule != NULL && group->rule->is_skip)
		return VSS_WHY_SKIPPED;
	const enum vss_reason reason = type_judge(mount);
	/* These would make no sense, or wait for ever, whatever is configured. */
	if (reason == VSS_WHY_MEMORY || reason == VSS_WHY_OVERLAY)
		return reason;
	if (mount->is_read_only)
		return VSS_WHY_READ_ONLY;
	return group->rule != NULL ? VSS_WHY_CONFIGURED : reason;
}

static void overlay_explain(struct work *work, size_t at)
{
	char path[PATH_MAX];
	struct vss_decision *decision = &work->plan->decisions[at];
	if (!vss_option_value(work->mounts->at[at].super_options, "upperdir", path, sizeof path)) {
		decision->reason = VSS_WHY_OVERLAY_READ_ONLY;
		return;
	}
	decision->other = vss_mounts_of_path(work->mounts, path);
}

static void decide(struct work *work)
{
	struct vss_plan *plan = work->plan;
	for (size_t i = 0; i < work->mounts->count; i++) {
		const struct group *group = &work->groups[work->group_of[i]];
		const enum vss_reason reason = group_judge(group, &work->mounts->at[group->first]);
		plan->decisions[i] = (struct vss_decision){
			.reason = reason, .other = VSS_MOUNT_NONE};
		if (reason == VSS_WHY_OVERLAY) {
			overlay_explain(work, i);
		} else if (vss_reason_is_frozen(reason) && i != group->first) {
			plan->decisions[i].reason = VSS_WHY_SAME;
			plan->decisions[i].other = group->first;
		}
	}
}

/* ---- order ---------------------------------------------------------------------------------- */

static void visit(struct work *work, size_t at, unsigned depth);

/* Whatever the file system is stored in comes into the list before it. */
static void visit_below(struct work *work, const struct vss_mount *mount, unsigned depth)
{
	char path[PATH_MAX];
	unsigned major = mount->major;
	unsigned minor = mount->minor;
	/* The source of a program's file system is whatever its user says: not to be looked at. */
	if (major == 0 && (is_fuse(mount->type) || !work->stack->device(work->stack->ctx,
							   mount->source, &major, &minor)))
		return;
	for (unsigned n = 0; n < VSS_BACKING_FILES_MAX; n++) {
		if (!work->stack->backing_file(
			    work->stack->ctx, major, minor, n, path, sizeof path))
			return;
		const size_t on = vss_mounts_of_path(work->mounts, path);
		if (on != VSS_MOUNT_NONE)
			visit(work, work->group_of[on], depth + 1);
	}
}

static void visit(struct work *work, size_t at, unsigned depth)
{
	struct group *group = &work->groups[at];
	struct vss_plan *plan = work->plan;
	const struct vss_decision *decision = &plan->decisions[group->first];
	if (group->is_visited || depth > DEPTH_MAX)
		return;
	group->is_visited = true;
	visit_below(work, &work->mounts->at[group->first], depth);
	if (!vss_reason_is_frozen(decision->reason))
		return;
	plan->order[plan->order_count++] = (struct vss_plan_entry){
		.mount = group->first,
		.is_demanded = decision->reason == VSS_WHY_CONFIGURED,
	};
}

static bool is_root(const struct work *work, size_t at)
{
	return strcmp(work->mounts->at[work->groups[at].first].point, "/") == 0;
}

/*
 * The list is made in the order of thawing, the root first and each after what it is stored in, and
 * turned round then.
 */
static void order_make(struct work *work)
{
	struct vss_plan *plan = work->plan;
	for (size_t i = 0; i < work->group_count; i++) {
		if (is_root(work, i))
			visit(work, i, 0);
	}
	for (size_t i = 0; i < work->mounts->count; i++) {
		if (work->groups[work->group_of[i]].first == i)
			visit(work, work->group_of[i], 0);
	}
	for (size_t i = 0, j = plan->order_count; i + 1 < j; i++) {
		j--;
		const struct vss_plan_entry entry = plan->order[i];
		plan->order[i] = plan->order[j];
		plan->order[j] = entry;
	}
}

int vss_plan_make(const struct vss_mounts *mounts, const struct vss_config *config,
	const char *below, const struct vss_stack_ops *stack, struct vss_plan *out)
{
	struct work work = {.mounts = mounts, .config = config, .stack = stack, .plan = out};
	const size_t room = mounts->count + 1;
	*out = (struct vss_plan){
		.decisions = calloc(room, sizeof *out->decisions),
		.order = calloc(room, sizeof *out->order),
	};
	work.groups = calloc(room, sizeof *work.groups);
	work.group_of = calloc(room, sizeof *work.group_of);
	work.sorted = calloc(room, sizeof *work.sorted);
	int result = -ENOMEM;
	if (out->decisions != NULL && out->order != NULL && work.groups != NULL &&
		work.group_of != NULL && work.sorted != NULL) {
		group_mounts(&work);
		rules_apply(&work, below);
		decide(&work);
		order_make(&work);
		result = 0;
	}
	free(work.groups);
	free(work.group_of);
	free(work.sorted);
	if (result != 0)
		vss_plan_free(out);
	return result;
}

void vss_plan_free(struct vss_plan *plan)
{
	free(plan->decisions);
	free(plan->order);
	*plan = (struct vss_plan){0};
}
