// SPDX-License-Identifier: Apache-2.0
//
// Rows of figures: the same thing done on several systems, which take turns in rounds, so that whatever else
// the machine does hits them all. A figure is the median of its rounds, its spread half the interquartile
// range, and its ratio to another system the median of the rounds' ratios.
#pragma once

#include <functional>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "served.h"

namespace mdevfs::bench {

using Json = nlohmann::ordered_json;

struct Sample {
  double figure = 0;      // in the row's unit, and for one operation where that is a time
  double operations = 1;  // how many there were
};

// One system of a row. Those whose names begin with "mdevfs" are compared with all the others.
struct Entry {
  std::string system;
  const Served* served = nullptr;  // whose requests and processor time are counted; none: nobody's
  std::function<Sample()> take;
  std::function<void()> warm_up =
      {};  // just before; what is still under way from other rows is then not counted
  std::vector<double> figures = {};
  std::vector<double> requests = {};   // an operation
  std::vector<double> processor = {};  // nanoseconds an operation
};

struct Row {
  std::string id;
  std::string name;
  std::string unit = "ns";
  double count = 0;  // of devices or clients, where the figure depends on them
  int most_rounds = std::numeric_limits<int>::max();  // fewer for what takes long
  std::vector<Entry> entries = {};
};

// Does something so often (it says how much was done each time), and takes the time of it.
Sample timed(std::size_t times, const std::function<std::size_t()>& once);

// The first of the rounds, which is none of `rounds`, only warms up.
void measure(std::vector<Row>& rows, int rounds);

Json to_json(const Row& row);

}  // namespace mdevfs::bench
