// SPDX-License-Identifier: Apache-2.0
//
// Catch2 under both of its major versions: Debian 12 packages v2, newer releases v3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
