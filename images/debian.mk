# What the images here begin with: a minimal Debian without its documentation, made by debootstrap once and kept in the
# directory BASE. Each image is a copy of it with packages of its own. Needs root and debootstrap.

SUITE ?= bookworm
# Where this host gets its own packages from.
MIRROR ?= $(shell apt-get indextargets --format '$$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
BASE ?= ../base
# Never into what is mounted there: a root file system is where one mounts /proc.
REMOVE = rm -rf --one-file-system

# What is mounted for debootstrap is mounted for it alone, and gone when it ends, however it ends.
# No daemon is started while packages are installed: Open vSwitch's would be on the host's network.
$(BASE)/.debian:
	$(REMOVE) '$(BASE).new'
	unshare --mount debootstrap --variant=minbase $(SUITE) '$(BASE).new' '$(MIRROR)'
	rm -rf '$(BASE).new'/var/cache/apt/archives/*.deb '$(BASE).new'/var/lib/apt/lists/*
	printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >'$(BASE).new/etc/dpkg/dpkg.cfg.d/slim'
	for folder in doc info locale man; do rm -rf '$(BASE).new/usr/share/'$$folder/*; done
	printf '#!/bin/sh\nexit 101\n' >'$(BASE).new/usr/sbin/policy-rc.d'
	chmod 755 '$(BASE).new/usr/sbin/policy-rc.d'
	touch '$(BASE).new/.debian'
	$(REMOVE) '$(BASE)'
	mv '$(BASE).new' '$(BASE)'

# $(call debian_with,DIRECTORY,SCRIPT): a copy of the base in which that script has installed packages, put in its place
# when it is whole.
define debian_with
$(REMOVE) '$(1).new'
cp -a '$(BASE)' '$(1).new'
unshare --mount chroot '$(1).new' sh <'$(2)'
rm '$(1).new/usr/sbin/policy-rc.d'
touch '$(1).new/.debian'
$(REMOVE) '$(1)'
mv '$(1).new' '$(1)'
endef
