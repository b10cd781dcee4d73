// heed_bench_report - compares results of heed_bench and makes tables of them. Exit codes: 0, 1 for
// bad input with one sentence on stderr, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "report.hpp"

namespace {

struct Options {
  std::string a, b, results, peers, document, name;
  double floor = 3.0;
};

void define(CLI::App& app, Options& o) {
  using heed::bench::comparison;
  CLI::App* compare = app.add_subcommand("compare", "Per case: is B faster than A, slower, or the same?");
  compare->add_option("A", o.a, "The old results")->required()->type_name("A.json");
  compare->add_option("B", o.b, "The new results")->required()->type_name("B.json");
  compare->add_option("--floor", o.floor, "Percent below which a difference is never said (default: 3)")
      ->check(CLI::Range(0.0, 100.0).description(""))
      ->type_name("P");
  compare->callback([&o] { std::fputs(comparison(o.a, o.b, 0.01 * o.floor).c_str(), stdout); });

  CLI::App* table = app.add_subcommand("table", "All results as Markdown");
  table->add_option("RESULTS", o.results, "Of heed_bench")->required()->type_name("FILE.json");
  table->callback([&o] { std::fputs(heed::bench::markdown(o.results).c_str(), stdout); });

  CLI::App* arguments = app.add_subcommand("arguments", "A case of heed_bench in the words of heed bench");
  arguments->add_option("CASE", o.name, "Such as minilm")->required()->type_name("NAME");
  arguments->callback([&o] { std::fputs(heed::bench::arguments(o.name).c_str(), stdout); });

  CLI::App* insert = app.add_subcommand("insert", "Replaces the generated tables of a document");
  insert->add_option("DOCUMENT", o.document, "With markers <!-- bench NAME --> and <!-- end -->")
      ->required()
      ->type_name("FILE.md");
  insert->add_option("RESULTS", o.results, "Of heed_bench")->required()->type_name("FILE.json");
  insert->add_option("--peers", o.peers, "Of ./dev bench peers")->type_name("FILE.json");
  insert->callback([&o] {
    const int tables = heed::bench::insert_tables(o.document, o.results, o.peers);
    std::fprintf(stderr, "heed_bench_report: %d tables in %s\n", tables, o.document.c_str());
  });
  app.require_subcommand(1);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("heed_bench_report - compares results of heed_bench and makes tables of them", "heed_bench_report");
  Options options;
  define(app, options);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "heed_bench_report: %s.\n", error.what());
    return 1;
  }
}
