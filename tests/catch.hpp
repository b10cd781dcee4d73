// Catch2, version 2 or 3, whichever the machine has. Tests write Approx and
// SECTION, GENERATE and TEMPLATE_TEST_CASE without caring which one it is.
//
// Version 2 needs a main function in one file of each test program: that file
// defines HEED_TEST_MAIN before this include (or is compiled with it). Version 3
// brings its own in Catch2::Catch2WithMain.
#ifndef HEED_TESTS_CATCH_HPP
#define HEED_TESTS_CATCH_HPP

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
using Catch::Approx;
#else
#ifdef HEED_TEST_MAIN
#define CATCH_CONFIG_MAIN
#endif
#include <catch2/catch.hpp>
#endif

#endif
