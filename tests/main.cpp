// The main function of Catch2 version 2; version 3 brings its own.
#define HEED_TEST_MAIN
#include "catch.hpp"
