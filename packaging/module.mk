# Delivery: what make install puts where, and the Debian packages. Read after the other fragments.
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/viridian
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
UDEVDIR ?= $(PREFIX)/lib/udev
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

# 1. What there is. Daemons are vmic-*, what only they start is viridian-*, all else is for people.
DAEMONS := $(filter vmic-%,$(PROGRAMS))
PRIVATE_PROGRAMS := $(filter viridian-%,$(PROGRAMS))
COMMANDS := $(filter-out $(DAEMONS) $(PRIVATE_PROGRAMS),$(PROGRAMS))
MAN_PAGES := $(wildcard packaging/man/*.[18])
UNITS := $(wildcard packaging/systemd/*.service packaging/systemd/*.socket)
UDEV_RULES := $(wildcard packaging/udev/*.rules)
SETTINGS := $(wildcard packaging/etc/*.conf)
# Where hvconform finds it from BINDIR: ../lib/viridian.
IMAGE := $(BUILD)/bare/conform.elf
IMAGEDIR ?= $(PREFIX)/lib/viridian

# The library of guests: everything that a client of the VMBus is made of, and nothing of Linux but
# the platforms. Its headers are those that its public ones include.
VIRIDIAN_LIBS := protocol winhv guestbus vsc ic
VIRIDIAN_OBJECTS = $(foreach lib,$(VIRIDIAN_LIBS),$(call OBJECT,$($(lib)_SRCS)))
VIRIDIAN_HEADERS := $(filter-out %_internal.h %_private.h %_internal_linux.h,$(wildcard \
	protocol/*.h guest/winhv/*.h guest/vmbus/client.h guest/vmbus/synic_bus.h guest/vmbus/vmbus.h \
	guest/vsc/storage_*.h guest/ic_daemons/*_ic.h guest/ic_daemons/ic_*.h \
	guest/ic_daemons/net_address.h guest/ic_daemons/time_policy.h))

$(B)/lib/libviridian.a: $(VIRIDIAN_OBJECTS) packaging/module.mk
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# 2. Into DESTDIR. Files that name other installed ones are told where those are.
INSTALL := install
AT = sed -e '/^@DAEMON@$$/{r packaging/man/daemon.mdoc' -e 'd}' -e 's|/usr/sbin/vmic-|$(SBINDIR)/vmic-|g' -e 's|/usr/libexec/viridian/|$(LIBEXECDIR)/|g' \
	-e 's|/usr/bin/vmbusctl|$(BINDIR)/vmbusctl|g' -e 's|@PREFIX@|$(PREFIX)|g' \
	-e '/^@SANDBOX@$$/{r packaging/systemd/sandbox' -e 'd}' \
	$(if $(HAVE_SYSTEMD),,-e 's/^Type=notify/Type=exec/' -e '/^WatchdogSec=/d') \
	-e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|g' \
	-e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|g' -e 's|@VERSION@|$(VERSION)|g'
define install_edited # files, folder
	@$(INSTALL) -d $(DESTDIR)$(2)
	@for file in $(1); do stem=$${file##*/vmic-} && $(AT) "$$file" | \
		sed "s|@STEM@|$${stem%.8}|g" >"$(DESTDIR)$(2)/$${file##*/}" && \
		chmod 644 "$(DESTDIR)$(2)/$${file##*/}" || exit 1; done
endef

install: install-programs install-guest install-dev ## everything, under DESTDIR and PREFIX

install-programs: programs $(IMAGE)
	$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(COMMANDS:%=$(B)/bin/%) $(DESTDIR)$(BINDIR)
	ln -sf vmbusctl $(DESTDIR)$(BINDIR)/lsvmbus
	$(if $(DAEMONS),$(INSTALL) -d $(DESTDIR)$(SBINDIR) && \
		$(INSTALL) -m 755 $(DAEMONS:%=$(B)/bin/%) $(DESTDIR)$(SBINDIR))
	$(if $(PRIVATE_PROGRAMS),$(INSTALL) -d $(DESTDIR)$(LIBEXECDIR) && \
		$(INSTALL) -m 755 $(PRIVATE_PROGRAMS:%=$(B)/bin/%) $(DESTDIR)$(LIBEXECDIR))
	$(INSTALL) -D -m 644 $(IMAGE) $(DESTDIR)$(IMAGEDIR)/$(notdir $(IMAGE))
	$(call install_edited,$(filter %.1,$(MAN_PAGES)),$(MANDIR)/man1)
	$(call install_edited,$(filter %.8,$(MAN_PAGES)),$(MANDIR)/man8)
	ln -sf vmbusctl.1 $(DESTDIR)$(MANDIR)/man1/lsvmbus.1
	for daemon in $(DAEMONS:vmic-%=%); do \
		ln -sf vmic-$$daemon.8 $(DESTDIR)$(MANDIR)/man8/viridian-$$daemon.service.8; done
	ln -sf viridian-net-config.8 $(DESTDIR)$(MANDIR)/man8/viridian-net-config.socket.8
	ln -sf viridian-net-config.8 $(DESTDIR)$(MANDIR)/man8/viridian-net-config@.service.8
	$(INSTALL) -d $(DESTDIR)$(COMPLETIONDIR)
	for program in $(COMMANDS) $(DAEMONS) lsvmbus; do $(INSTALL) -m 644 \
		packaging/completion/viridian.bash $(DESTDIR)$(COMPLETIONDIR)/$$program || exit 1; done

install-guest:
	$(call install_edited,$(UNITS),$(UNITDIR))
	$(call install_edited,$(UDEV_RULES),$(UDEVDIR)/rules.d)
	$(INSTALL) -D -m 644 packaging/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/viridian.conf
	$(INSTALL) -D -m 644 packaging/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/viridian.conf
	$(INSTALL) -d $(DESTDIR)$(SYSCONFDIR)/viridian
	for file in $(SETTINGS); do target=$(DESTDIR)$(SYSCONFDIR)/viridian/$${file##*/}; \
		[ -e "$$target" ] || $(INSTALL) -m 644 "$$file" "$$target" || exit 1; done

install-dev: $(B)/lib/libviridian.a
	$(INSTALL) -D -m 644 $(B)/lib/libviridian.a $(DESTDIR)$(LIBDIR)/libviridian.a
	for header in $(VIRIDIAN_HEADERS); do $(INSTALL) -D -m 644 "$$header" \
		"$(DESTDIR)$(INCLUDEDIR)/viridian/$$header" || exit 1; done
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig
	$(AT) packaging/viridian.pc >$(DESTDIR)$(LIBDIR)/pkgconfig/viridian.pc

uninstall: ## what install put there, but for changed settings
	rm -f $(COMMANDS:%=$(DESTDIR)$(BINDIR)/%) $(DESTDIR)$(BINDIR)/lsvmbus
	rm -f $(DAEMONS:%=$(DESTDIR)$(SBINDIR)/%) $(PRIVATE_PROGRAMS:%=$(DESTDIR)$(LIBEXECDIR)/%)
	rm -f $(DESTDIR)$(IMAGEDIR)/$(notdir $(IMAGE))
	rm -f $(foreach page,$(notdir $(MAN_PAGES)) lsvmbus.1,$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page))
	rm -f $(DAEMONS:vmic-%=$(DESTDIR)$(MANDIR)/man8/viridian-%.service.8) \
		$(DESTDIR)$(MANDIR)/man8/viridian-net-config*.8
	rm -f $(foreach name,$(COMMANDS) $(DAEMONS) lsvmbus,$(DESTDIR)$(COMPLETIONDIR)/$(name))
	rm -f $(foreach unit,$(notdir $(UNITS)),$(DESTDIR)$(UNITDIR)/$(unit))
	rm -f $(foreach rules,$(notdir $(UDEV_RULES)),$(DESTDIR)$(UDEVDIR)/rules.d/$(rules))
	rm -f $(DESTDIR)$(SYSUSERSDIR)/viridian.conf $(DESTDIR)$(TMPFILESDIR)/viridian.conf
	rm -f $(DESTDIR)$(LIBDIR)/libviridian.a $(DESTDIR)$(LIBDIR)/pkgconfig/viridian.pc
	rm -rf $(DESTDIR)$(INCLUDEDIR)/viridian
	for file in $(SETTINGS); do cmp -s "$$file" $(DESTDIR)$(SYSCONFDIR)/viridian/$${file##*/} && \
		rm -f $(DESTDIR)$(SYSCONFDIR)/viridian/$${file##*/}; done; true
	-rmdir $(DESTDIR)$(SYSCONFDIR)/viridian $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(IMAGEDIR) 2>/dev/null

# 3. Debian packages: packaging/debian beside nothing else, in build/deb/stage, and the programs from
# the build that is here. (A build from source alone does the same with TOP=. in debian/rules.)
DEB := $(BUILD)/deb
deb: programs $(IMAGE) $(B)/lib/libviridian.a ## the Debian packages, in build/deb; SAN= must be empty
	$(if $(SAN),$(error make deb: packages are not made of SAN=$(SAN)))
	@tests/tools/deps deb
	$(Q)rm -rf $(DEB) && mkdir -p $(DEB)/stage && cp -a packaging/debian $(DEB)/stage/debian
	$(Q)cd $(DEB)/stage && VIRIDIAN_TOP=$(CURDIR) dpkg-buildpackage -us -uc -b >../build.log 2>&1 || \
		{ tail -n 30 ../build.log >&2; exit 1; }
	@ls $(DEB)/*.deb

check-deb: deb ## the packages: lintian, contents, installation, removal, security of the units; the guest's on QEMU
	@B=$(B) tests/system/test_packages; chroot=$$?; \
	B=$(B) tests/system/test_guest_qemu && exit $$chroot

.PHONY: install-programs install-guest install-dev deb check-deb
