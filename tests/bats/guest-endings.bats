#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# How connections end, and what comes beside their bytes. What is tried is in tests/guest/endings.c.

load helpers
load steps
load agree

@test "SO_ERROR is given once" {
    agree endings so_error
}
