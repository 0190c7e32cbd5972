# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Checks the arrows of knowledge on every include. Run by check.sh over all sources: awk -f includes.awk FILE...
# Prints "FILE:LINE: what is wrong"; status 1 when there was anything.
#
#     user, system -> abi <- kernel <- executive <- personality;   the core (kernel/ but arch and platform) names no machine

function finding(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    findings++
}

# The layer that a source belongs to.
function layer_of(file) {
    if (file ~ /^abi\//) return "abi"
    if (file ~ /^kernel\//) return "kernel"
    if (file ~ /^executive\//) return "executive"
    if (file ~ /^personality\//) return "personality"
    return "user"
}

# The layer that a header belongs to, by the first part of its name.
function owner_of(header) {
    if (header ~ /^invar\//) return "abi"
    if (header ~ /^(kernel|arch)\//) return "kernel"
    if (header ~ /^executive\//) return "executive"
    if (header ~ /^personality\//) return "personality"
    if (header ~ /^(stdint|stddef|stdbool|stdarg|stdatomic|stdalign|stdnoreturn|limits|float|iso646|cpuid)\.h$/) return "freestanding"
    return "other"
}

BEGIN {
    allowed["abi"] = " abi freestanding "
    allowed["kernel"] = " abi kernel freestanding "
    allowed["executive"] = " abi kernel executive freestanding "
    allowed["personality"] = " abi kernel executive personality freestanding "
    allowed["user"] = " abi freestanding other "
}

FNR == 1 {
    layer = layer_of(FILENAME)
    core = layer == "kernel" && FILENAME !~ /^kernel\/(arch|platform)\//
    host_test = FILENAME ~ /_test\.c$/
}

/^[[:space:]]*#[[:space:]]*include[[:space:]]*</ && !host_test {
    header = $0
    sub(/^[^<]*</, "", header)
    sub(/>.*/, "", header)
    owner = owner_of(header)
    if (index(allowed[layer], " " owner " ") == 0) {
        finding("<" header "> is not for " layer)
    }
    if (core && header ~ /(x86|aarch64|riscv)/) {
        finding("<" header "> names an architecture in the core")
    }
}

/^[[:space:]]*#[[:space:]]*include[[:space:]]*"/ && !host_test {
    header = $0
    sub(/^[^"]*"/, "", header)
    sub(/".*/, "", header)
    parts = split(FILENAME, folder, "/") # a folder in a folder belongs to one subsystem with it
    if (parts >= 4 && header ~ /^\.\.\/[^\/]+$/) next
    if (header ~ /\.\.\// || (header ~ /\// && layer != "user")) {
        finding("\"" header "\" reaches out of its folder")
    }
}

core && /__x86_64__|__aarch64__|__riscv/ {
    finding("an architecture's own macro in the core")
}

(layer == "kernel" || layer == "executive" || layer == "personality") && !host_test && FILENAME ~ /\.c$/ {
    if ($0 ~ /^[^[:space:]#].*\{[[:space:]]*$/) in_body = 1
    if ($0 ~ /^\}/) in_body = 0
    if (in_body && /^[[:space:]]*#[[:space:]]*if.*CONFIG_/) finding("configuration decides inside a function")
}

END { exit findings > 0 }
