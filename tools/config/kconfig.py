#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Writes a build folder's configuration; called by the Makefile (generate) and by ./invar config (menu).

The configuration of a build folder is its profile (config/<profile>.config) plus the folder's own differences
(<out>/local.config, written by the menu and never by hand). generate writes <out>/.config, which make reads, and
<out>/include/config.h, which every kernel source sees; both are left untouched when nothing changed.
"""

import os
import sys

import kconfiglib

HEAD = "// Made from Kconfig by tools/config/kconfig.py. Do not edit.\n#pragma once\n"


def load(profile, out):
    path = os.path.join("config", profile + ".config")
    if not os.path.exists(path):
        sys.exit(f"invar: no such profile: {profile} (no {path})")
    conf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=True)
    conf.load_config(path)
    local = os.path.join(out, "local.config")
    if os.path.exists(local):
        conf.load_config(local, replace=False)
    if any("assigned" in w or "undefined" in w for w in conf.warnings):
        sys.exit(f"invar: {path} or {local} sets what Kconfig does not offer")
    return conf, local


def touch(path):
    os.utime(path)


def generate(profile, out):
    conf, _ = load(profile, out)
    os.makedirs(os.path.join(out, "include"), exist_ok=True)
    conf.write_config(os.path.join(out, ".config"), save_old=False)
    conf.write_autoconf(os.path.join(out, "include", "config.h"), header=HEAD)
    # make compares times; config.h keeps its own, so that only a real change rebuilds
    touch(os.path.join(out, ".config"))


def menu(profile, out):
    import menuconfig

    conf, local = load(profile, out)
    os.makedirs(out, exist_ok=True)
    scratch = os.path.join(out, "menu.config")
    conf.write_config(scratch, save_old=False)
    os.environ["KCONFIG_CONFIG"] = scratch
    menuconfig.menuconfig(conf)
    base = kconfiglib.Kconfig("Kconfig", warn=False)
    base.load_config(os.path.join("config", profile + ".config"))
    conf.load_config(scratch)
    with open(local, "w", encoding="utf-8") as f:
        for symbol in conf.unique_defined_syms:
            if symbol.config_string and symbol.str_value != base.syms[symbol.name].str_value:
                f.write(symbol.config_string)
                base.syms[symbol.name].set_value(symbol.str_value)  # later defaults may follow from it
    for leftover in (scratch, scratch + ".old"):
        if os.path.exists(leftover):
            os.remove(leftover)
    generate(profile, out)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("generate", "menu"):
        sys.exit("usage: kconfig.py generate|menu PROFILE OUT")
    {"generate": generate, "menu": menu}[sys.argv[1]](sys.argv[2], sys.argv[3])


main()
