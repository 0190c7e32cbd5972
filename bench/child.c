// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the rows that execute a program execute: it ends at once, well.
int main(void) {
    return 0;
}
