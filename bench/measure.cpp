// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

namespace mdevfs::bench {
namespace {

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

// Four digits are more than a figure is worth.
double rounded(double value) {
  return std::stod(fmt::format("{:.4g}", value));
}

double median(const std::vector<double>& values) {
  return rounded(quantile(values, 0.5));
}

Json summary(const std::vector<double>& values) {
  return {{"median", median(values)},
          {"spread", rounded((quantile(values, 0.75) - quantile(values, 0.25)) / 2)}};
}

void take(Entry& entry, bool keep) {
  if (entry.warm_up) entry.warm_up();
  const std::uint64_t requests = entry.served != nullptr ? entry.served->requests() : 0;
  const double processor = entry.served != nullptr ? entry.served->processor_nanoseconds() : 0;
  const Sample sample = entry.take();
  if (!keep) return;
  entry.figures.push_back(sample.figure);
  if (entry.served == nullptr) return;
  entry.processor.push_back((entry.served->processor_nanoseconds() - processor) / sample.operations);
  entry.requests.push_back(static_cast<double>(entry.served->requests() - requests) / sample.operations);
}

Json ratio(const Entry& entry, const Entry& peer) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(entry.figures.size(), peer.figures.size()); ++i) {
    ratios.push_back(entry.figures[i] / peer.figures[i]);
  }
  return summary(ratios);
}

bool is_ours(const Entry& entry) {
  return entry.system.starts_with("mdevfs");
}

Json to_json(const Entry& entry, const std::vector<Entry>& all) {
  Json json = summary(entry.figures);
  if (entry.served != nullptr) {
    json["requests"] = median(entry.requests);
    json["processor_ns"] = median(entry.processor);
  }
  if (!is_ours(entry)) return json;
  for (const Entry& peer : all) {
    // (Nothing is a multiple of nothing: an idle peer may well have used no time.)
    if (&peer != &entry && std::ranges::find(peer.figures, 0.0) == peer.figures.end()) {
      json["ratio_to"][peer.system] = ratio(entry, peer);
    }
  }
  return json;
}

}  // namespace

Sample timed(std::size_t times, const std::function<std::size_t()>& once) {
  const auto start = std::chrono::steady_clock::now();
  double operations = 0;
  for (std::size_t i = 0; i < times; ++i) operations += static_cast<double>(once());
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return {.figure = took.count() / operations, .operations = operations};
}

void measure(std::vector<Row>& rows, int rounds) {
  for (int round = 0; round <= rounds; ++round) {
    for (Row& row : rows) {
      if (round > row.most_rounds) continue;
      for (Entry& entry : row.entries) take(entry, round > 0);
    }
  }
}

Json to_json(const Row& row) {
  Json json{{"id", row.id}, {"name", row.name}, {"unit", row.unit}};
  if (row.count != 0) json["count"] = row.count;
  for (const Entry& entry : row.entries) json["systems"][entry.system] = to_json(entry, row.entries);
  return json;
}

}  // namespace mdevfs::bench
