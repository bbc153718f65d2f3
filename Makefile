# Viridian: build, tests, and the two first commands (make run, make check).
# One non-recursive make; each top-level folder lists its sources in module.mk.
#
#	make SAN=asan|tsan	a build of its own, under build/<name>
#	make CC=clang V=1	any compiler; V=1 prints commands

# 1. What a packager overrides. CFLAGS and LDFLAGS are appended to, never replaced.
CC ?= gcc
AR ?= ar
CXX ?= g++
CLANG ?= clang
PKG_CONFIG ?= pkg-config
IASL ?= iasl
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
SAN ?=
V ?=

ifeq ($(origin CC),default)
CC := gcc
endif

# One source: the newest entry of the changelog.
VERSION := $(shell head -n 1 packaging/debian/changelog | tr -d '()' | cut -d' ' -f2)

BUILD := build
B := $(if $(SAN),$(BUILD)/$(SAN),$(BUILD))
Q := $(if $(V),,@)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Werror
CPPFLAGS_ALL := -I. -D_GNU_SOURCE
CFLAGS_ALL := -std=gnu17 -O2 -g $(WARNINGS) -fstack-protector-strong -falign-functions=64 \
	-ffile-prefix-map=$(CURDIR)/= -fno-strict-aliasing
LDFLAGS_ALL := -Wl,-z,relro,-z,now -Wl,--as-needed

ifeq ($(SAN),)
CPPFLAGS_ALL += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else ifeq ($(SAN),asan)
CFLAGS_ALL += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(SAN),tsan)
CFLAGS_ALL += -fsanitize=thread -fno-omit-frame-pointer
# gcc warns that this sanitizer does not model fences; ours only order index accesses.
CFLAGS_ALL += $(if $(findstring clang,$(CC)),,-Wno-tsan)
LDFLAGS_ALL += -fsanitize=thread
else ifeq ($(SAN),coverage)
CFLAGS_ALL := $(subst -O2,-O0,$(CFLAGS_ALL)) --coverage
LDFLAGS_ALL += --coverage
else
$(error SAN=$(SAN) is not known: use asan, tsan or coverage)
endif

# 2. What is built. Each fragment appends to these.
LIBS :=		# archives: name -> <name>_SRCS
PROGRAMS :=	# programs: name -> <name>_SRCS, <name>_LIBS (pkg-config names)
TESTS :=	# test programs, paths under tests/ without .c
KVM_TESTS :=	# those that need a usable KVM, or the rig
TEST_PROGRAMS :=	# what test scripts run, likewise
FUZZERS :=	# fuzz targets, names under tests/fuzz/ without .c
FREESTANDING :=	# sources that must need no libc
GUEST_PROGRAMS :=	# static, for guests without libraries: name -> <name>_SRCS
BARE_KERNELS :=	# images that run on bare metal: name -> BARE_<name>_SRCS, or tests/bare/<name>.c
BARE_SMALL :=	# of these, those built for size with all that is linked to them

LIBS += version
version_SRCS := $(B)/gen/packaging/version.c

MODULES := protocol/module.mk guest/module.mk host/module.mk tests/module.mk
include $(MODULES)

PACKAGES := liburing jansson fuse3 libudev libmnl libcap-ng libseccomp
# Optional: D-Bus, the journal and units' notifications of the guest's daemons.
HAVE_SYSTEMD = $(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo libsystemd)
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null) \
	$(if $(HAVE_SYSTEMD),-DVIRIDIAN_HAVE_SYSTEMD)
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES) $(HAVE_SYSTEMD) 2>/dev/null)

# 3. Rules.
LIB_FILES := $(LIBS:%=$(B)/lib/lib%.a)
PROGRAM_FILES := $(PROGRAMS:%=$(B)/bin/%)
GUEST_PROGRAM_FILES := $(GUEST_PROGRAMS:%=$(B)/guest/%)
TEST_FILES := $(TESTS:%=$(B)/tests/%) $(KVM_TESTS:%=$(B)/tests/%) $(TEST_PROGRAMS:%=$(B)/tests/%)
FUZZ_REPLAY_FILES := $(FUZZERS:%=$(B)/fuzz/%)
LIBFUZZER_FILES := $(FUZZERS:%=$(BUILD)/libfuzzer/%)
OBJECT = $(patsubst %.c,$(B)/obj/%.o,$(1))

all: programs
programs: $(PROGRAM_FILES) $(GUEST_PROGRAM_FILES)
tests: $(TEST_FILES) $(FUZZ_REPLAY_FILES)

$(B)/obj/%.o: %.c | deps-once
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $<")
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS_ALL) $(CFLAGS) -MMD -MP -c $< -o $@

# ACPI: from ASL to AML to an array. Warnings are errors.
$(B)/gen/host/machine/acpi_dsdt.c: host/machine/acpi.asl | deps-once
	@mkdir -p $(@D)
	$(if $(V),,@echo "  ASL     $<")
	$(Q)$(IASL) -we -vs -p $(@:.c=) $< >$(@:.c=.log) 2>&1 || { cat $(@:.c=.log) >&2; exit 1; }
	$(Q){ echo '#include "host/machine/acpi.h"' && echo 'const unsigned char acpi_dsdt[] = {' && \
		od -An -v -tx1 $(@:.c=.aml) | sed 's/ \(..\)/0x\1,/g' && echo '};' && \
		echo 'const size_t acpi_dsdt_bytes = sizeof acpi_dsdt;'; } >$@.new && mv $@.new $@

# What --version prints; a file of its own, so that nothing else is compiled anew for it.
$(B)/gen/packaging/version.c: packaging/debian/changelog | deps-once
	@mkdir -p $(@D)
	$(Q){ echo '#include "packaging/version.h"' && \
		echo 'const char viridian_version[] = "$(VERSION)";'; } >$@

# The rules of the contract, as data of hvconform.
$(B)/gen/tests/conformance/rules.c: tests/tools/rules $(wildcard protocol/*.md) | deps-once
	@mkdir -p $(@D)
	$(Q)tests/tools/rules | awk -F '\t' ' \
		BEGIN { print "#include \"tests/conformance/rules.h\"\nconst struct conform_rule conform_rules[] = {" } \
		{ gsub(/[\\"]/, "\\\\&"); printf "{\"%s\", \"%s\", \"%s\", \"%s\", \"%s\", \"%s\"},\n", $$1, $$2, $$3, $$4, $$5, $$6 } \
		END { print "};\nconst size_t conform_rule_count = sizeof conform_rules / sizeof conform_rules[0];" }' \
		>$@.new && mv $@.new $@

define LIB_RULE
$(B)/lib/lib$(1).a: $(call OBJECT,$($(1)_SRCS)) $(MODULES)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $(AR) rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach lib,$(LIBS),$(eval $(call LIB_RULE,$(lib))))

LINK = $(CC) $(CFLAGS_ALL) $(CFLAGS) $(LDFLAGS_ALL) $(LDFLAGS)

define PROGRAM_RULE
$(B)/bin/$(1): $(call OBJECT,$($(1)_SRCS)) $(LIB_FILES)
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LINK    $$@")
	$$(Q)$(LINK) $(call OBJECT,$($(1)_SRCS)) -Wl,--start-group $(LIB_FILES) -Wl,--end-group \
		$$(PKG_LIBS) -lm -o $$@
endef
$(foreach program,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$(program))))

define GUEST_PROGRAM_RULE
$(B)/guest/$(1): $($(1)_SRCS) | deps-once
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  STATIC  $$@")
	$$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu17 -O2 $(WARNINGS) -static -s $($(1)_SRCS) -o $$@
endef
$(foreach program,$(GUEST_PROGRAMS),$(eval $(call GUEST_PROGRAM_RULE,$(program))))

$(filter $(B)/tests/loopback/test_stack_%,$(TEST_FILES)): $(call OBJECT,$(STACK_SRCS))
$(B)/tests/model/model_channel: $(call OBJECT,$(MODEL_CHANNEL_SRCS))
$(B)/tests/devices/vmbus_devices: $(call OBJECT,$(DEVICES_SRCS))
$(B)/tests/%: $(B)/obj/tests/%.o $(call OBJECT,$(HARNESS_SRCS)) $(LIB_FILES)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK    $@")
	$(Q)$(LINK) $(filter %.o,$^) -Wl,--start-group $(LIB_FILES) -Wl,--end-group \
		$(PKG_LIBS) -lcunit -lm -lpthread -o $@

# A fuzz target replays its corpus here; make fuzz builds it again with libFuzzer.
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/standalone.o $(LIB_FILES)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK    $@")
	$(Q)$(LINK) $< $(B)/obj/tests/fuzz/standalone.o -Wl,--start-group $(LIB_FILES) -Wl,--end-group \
		$(PKG_LIBS) -lm -lpthread -o $@

# Bare-metal images: their own flags, no libc. NAME.elf is for loaders of multiboot, which want
# 32-bit ELF; NAME.pvh.elf for those of PVH.
BARE_CC := $(if $(findstring clang,$(CC)),$(CC),gcc)
BARE_CFLAGS := -std=gnu17 -O2 -g $(WARNINGS) -ffreestanding -fno-pic -fno-pie -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none -fno-strict-aliasing -ffile-prefix-map=$(CURDIR)/= \
	-ffunction-sections -fdata-sections
BARE_LINK = ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
	--gc-sections -T guest/winhv/bare/bare.lds
# An image has 256 KiB at most. The conformance suite, which has many tests, is built for size and as one, with all of
# the library (BARE_SMALL), by gcc; what runs once at the start is built for size, too.
BARE_BYTES_MAX := 262143
BARE_FITS = { [ $$(stat -c %s $@) -le $(BARE_BYTES_MAX) ] || \
	{ echo "$@: $$(stat -c %s $@) bytes, more than $(BARE_BYTES_MAX)" >&2; rm -f $@; exit 1; }; }
$(BUILD)/bare/obj/guest/winhv/bare/%: BARE_CFLAGS += -Os
BARE_SMALL_CC = gcc $(BARE_CFLAGS) -Oz -flto -flto-partition=none -malign-data=abi -fno-jump-tables \
	-fno-tree-switch-conversion -DRING_INLINE='static __attribute__((unused))'
BARE_SMALL_LINK = $(BARE_SMALL_CC) -nostdlib -static -no-pie -Wl,--gc-sections,--build-id=none,-z,noexecstack \
	-Wl,-z,max-page-size=4096,--no-warn-rwx-segments -T guest/winhv/bare/bare.lds
BARE_OBJECT = $(patsubst %,$(BUILD)/bare/$(or $(2),obj)/%.o,$(basename $(1)))
BARE_FILES := $(foreach kernel,$(BARE_KERNELS),$(BUILD)/bare/$(kernel).elf $(BUILD)/bare/$(kernel).pvh.elf)
BARE_LIBRARY := $(BUILD)/bare/libwinhv-bare.a
BARE_BOOT := $(BUILD)/bare/obj/guest/winhv/bare/boot_x86
bare: $(BARE_FILES) ## the bare-metal library, test kernels and example, build/bare/*

$(BUILD)/bare/obj/%.o: %.c | deps-once
	@mkdir -p $(@D)
	$(Q)$(BARE_CC) -I. $(BARE_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/bare/small/%.o: %.c | deps-once
	@mkdir -p $(@D)
	$(Q)$(BARE_SMALL_CC) -I. -MMD -MP -c $< -o $@
$(BUILD)/bare/obj/%.multiboot.o: %.S | deps-once
	@mkdir -p $(@D)
	$(Q)$(BARE_CC) -DBARE_NO_PVH -MMD -MP -c $< -o $@
$(BUILD)/bare/obj/%.pvh.o: %.S | deps-once
	@mkdir -p $(@D)
	$(Q)$(BARE_CC) -DBARE_NO_MULTIBOOT -MMD -MP -c $< -o $@
$(BARE_LIBRARY): $(call BARE_OBJECT,$(BARE_LIBRARY_SRCS)) $(MODULES)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# Kernel, its objects, the library, what links them.
define BARE_RULE
$(BUILD)/bare/$(1).pvh.elf: $(2) $(BARE_BOOT).pvh.o $(3) guest/winhv/bare/bare.lds
	$(if $(V),,@echo "  BARE    $$@")
	$$(Q)$(4) -s -e bare_entry_pvh $$(filter %.o,$$^) $(3) -o $$@ && $$(BARE_FITS)
$(BUILD)/bare/$(1).elf64: $(2) $(BARE_BOOT).multiboot.o $(3) guest/winhv/bare/bare.lds
	$(if $(V),,@echo "  BARE    $$(@:64=)")
	$$(Q)$(4) $$(filter %.o,$$^) $(3) -o $$@
endef
BARE_SOURCES = $(or $(BARE_$(1)_SRCS),tests/bare/$(1).c tests/bare/bare_test.c)
$(foreach kernel,$(BARE_KERNELS),$(eval $(if $(filter $(kernel),$(BARE_SMALL)),\
	$(call BARE_RULE,$(kernel),$(call BARE_OBJECT,$(call BARE_SOURCES,$(kernel)) $(BARE_LIBRARY_SRCS),small),,$$(BARE_SMALL_LINK)),\
	$(call BARE_RULE,$(kernel),$(call BARE_OBJECT,$(call BARE_SOURCES,$(kernel))),$(BARE_LIBRARY),$$(BARE_LINK)))))
$(BUILD)/bare/%.elf: $(BUILD)/bare/%.elf64
	$(Q)objcopy -S -O elf32-i386 $< $@ && $(BARE_FITS)

LIBFUZZER_SRCS = $(foreach lib,$(LIBS),$($(lib)_SRCS))
LIBFUZZER_OBJECTS = $(patsubst %.c,$(BUILD)/libfuzzer/obj/%.o,$(LIBFUZZER_SRCS))
LIBFUZZER_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
$(BUILD)/libfuzzer/obj/%.o: %.c | deps-lint
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(PKG_CFLAGS) -std=gnu17 -O1 -g $(LIBFUZZER_FLAGS) -MMD -MP \
		-c $< -o $@
$(BUILD)/libfuzzer/libviridian.a: $(LIBFUZZER_OBJECTS) $(MODULES)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)
$(BUILD)/libfuzzer/%: $(BUILD)/libfuzzer/obj/tests/fuzz/%.o $(BUILD)/libfuzzer/libviridian.a
	$(if $(V),,@echo "  FUZZER  $@")
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $< $(BUILD)/libfuzzer/libviridian.a \
		$(PKG_LIBS) -lm -lpthread -o $@

# 4. Phony targets.
.PHONY: all programs tests bare deps deps-once deps-lint run check check-system check-vtx conformance \
	conformance-table mutants lint format fuzz bench bench-vm coverage install uninstall clean help
.PRECIOUS: $(B)/obj/%.o $(BUILD)/bare/obj/%.o $(BUILD)/bare/small/%.o $(BUILD)/bare/%.elf64 $(BUILD)/libfuzzer/obj/%.o

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' \
		Makefile packaging/module.mk

deps: ## install what is missing (Debian packages)
	@tests/tools/deps

# Every build rule waits for this; it costs one dpkg query. A packager, who has declared what is
# needed, says DEPS=true.
DEPS ?= tests/tools/deps
deps-once:
	@$(DEPS)

# With clang and its tools, for what needs them.
deps-lint:
	@tests/tools/deps lint

# A virtual machine where one can run, else (or with BACKEND=loopback) a guest that is a process.
BACKEND ?= kvm
ifeq ($(filter kvm loopback,$(BACKEND)),)
$(error BACKEND=$(BACKEND) is not known: use kvm or loopback)
endif
run: programs ## the main job on real input: a Debian guest, its disk through the enlightened path; BACKEND=loopback
ifeq ($(BACKEND),loopback)
	@B=$(B) tests/system/demo
else
	@B=$(B) tests/system/demo_vm || { [ $$? -eq 77 ] && B=$(B) tests/system/demo; }
endif

# Whole programs, as a user runs them: with the normal build only.
CHECK_SCRIPTS := $(if $(SAN),,tests/system/test_bad_input tests/system/test_bare tests/system/test_conformance \
	tests/system/test_conformance_linux tests/system/test_conformance_vm \
	tests/system/test_daemon_devices \
	tests/system/test_daemons tests/system/test_disk_10g tests/system/test_example \
	tests/system/test_fcopy tests/system/test_image tests/system/test_kvm \
	tests/system/test_kvp tests/system/test_mutants tests/system/test_packaging tests/system/test_readme \
	tests/system/test_vm tests/system/test_vss)
check: programs tests bare ## all tests, one closing total
	@B=$(B) SAN=$(SAN) CHECK_SCRIPTS="$(CHECK_SCRIPTS)" \
		tests/tools/run-checks $(TESTS) -- $(FUZZERS)

check-system: programs ## Debian 6.1 and 6.12, cloud and generic, 1, 2 and 4 processors; KERNELS= VPS= JOBS=; SERVICES=1
	@B=$(B) $(if $(SERVICES),tests/system/test_services,tests/system/check-system)

check-vtx: programs bare ## our host on VT-x, which Bochs emulates; its exits compared with AMD-V's
	@B=$(B) tests/vtx/check-vtx

lint: deps-lint ## clang-tidy, cppcheck, layers, freestanding, rules and their tests, headers alone, format, gcc and clang
	@tests/tools/lint

format: deps-lint ## rewrite all C files by .clang-format
	@clang-format -i $$(git ls-files '*.c' '*.h')

SECONDS ?= 60
fuzz: $(LIBFUZZER_FILES) ## fuzz each target, SECONDS=60 in all
	@tests/tools/run-fuzz $(SECONDS) $(FUZZERS)

# On KVM and QEMU: here, or in the rig, which may be slow.
HOST := loopback
ifneq ($(filter conformance,$(MAKECMDGOALS)),)
$(foreach host,$(filter-out loopback kvm qemu,$(HOST)),$(error HOST=loopback, kvm or qemu, not $(host)))
$(foreach guest,$(filter-out library linux,$(GUEST)),$(error GUEST=library or linux, not $(guest)))
endif
conformance: programs $(if $(filter loopback,$(HOST)),,bare) ## judge a host by the rules of protocol/; HOST=loopback|kvm|qemu; GUEST=library, or linux KERNEL=6.1|6.12; ONLY='R-RING-* R-GPADL-*'
ifeq ($(GUEST),linux)
	@B=$(B) tests/conformance/linux/judge $(KERNEL) $(ONLY:%=--only '%')
else ifneq ($(GUEST),)
	@$(B)/bin/hvconform run --guest $(GUEST) $(ONLY:%=--only '%')
else
	@$(if $(filter loopback,$(HOST)),,B=$(B) tests/system/rig/vm-host -c 2 -t 900) \
		$(B)/bin/hvconform run --host $(HOST) $(if $(filter loopback,$(HOST)),,--timeout 60) \
		$(ONLY:%=--only '%')
endif

conformance-table: programs bare ## rewrite the table of docs/conformance.md; RESULTS=FOLDER, RUN=1 makes what is not in it
	@B=$(B) tests/tools/conformance-table $(if $(RUN),--run) $(or $(RESULTS),$(B)/conformance)

mutants: programs tests ## seeded defects of tests/mutants, each of which a test must see; ONLY='host-ring-*' JOBS= SAMPLE=
	@B=$(BUILD) ONLY='$(ONLY)' $(if $(JOBS),JOBS='$(JOBS)') $(if $(SAMPLE),SAMPLE='$(SAMPLE)') \
		tests/tools/run-mutants

bench: programs ## hvbench: rings, doorbells, storage
	@$(B)/bin/hvbench ring && $(B)/bin/hvbench doorbell && $(B)/bin/hvbench storage

bench-vm: programs bare ## hvbench vm, in the rig where KVM cannot be used; ROUNDS=5
	@B=$(B) tests/performance/run-bench-vm $(ROUNDS)

coverage: ## line and branch coverage for each folder
	@tests/tools/coverage

include packaging/module.mk

clean: ## remove build/
	rm -rf $(BUILD)

-include $(shell find $(B)/obj $(BUILD)/bare/obj $(BUILD)/bare/small $(BUILD)/libfuzzer/obj -name '*.d' 2>/dev/null)
