// What differs from one batch system to the next: a job script's directives, how an array's element finds its seed, what
// follows a run that stopped at a checkpoint (exit code 85), and how steps are submitted so that each waits for the one
// before. One small class each; src/launch/scripts.cpp writes what all have in common.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "launch/request.h"
#include "launch/site.h"

namespace convoy {

struct Step {
  std::string kind;  // "pack", "train", "compare"
  std::vector<NodeGroup> groups;
  std::chrono::seconds wall_time{0};
  size_t elements = 0;  // of an array over seeds; 0: none
};

class Scheduler {
 public:
  Scheduler(const Site& site, const LaunchRequest& request) : site_(site), request_(request) {}
  virtual ~Scheduler() = default;

  virtual std::string directives(const Step& step) const = 0;  // lines
  virtual std::string seed() const = 0;              // an expression of the element's place in `seeds`, or ""
  virtual std::string before() const { return ""; }  // lines before training starts
  virtual std::string after() const = 0;             // lines after; $code is convoy's exit code
  virtual bool signals_shell() const {
    return false;
  }  // SIGUSR1 to the script before the end of the wall time
  virtual std::string submit(const std::vector<Step>& steps) const = 0;
  virtual std::string submit_by_hand(const std::string& script) const = 0;

 protected:
  std::string job_name(const Step& step) const { return request_.name + "-" + step.kind; }
  std::string script_of(const std::string& kind) const { return request_.scripts + "/" + kind + ".sh"; }
  bool array(const Step& step) const { return step.elements > 0; }
  const Site& site_;
  const LaunchRequest& request_;
};

std::unique_ptr<Scheduler> make_slurm(const Site& site, const LaunchRequest& request);
std::unique_ptr<Scheduler> make_pbs(const Site& site, const LaunchRequest& request);
std::unique_ptr<Scheduler> make_lsf(const Site& site, const LaunchRequest& request);
std::unique_ptr<Scheduler> make_flux(const Site& site, const LaunchRequest& request);
std::unique_ptr<Scheduler> make_direct(const Site& site, const LaunchRequest& request);
std::unique_ptr<Scheduler> make_scheduler(const Site& site, const LaunchRequest& request);

}  // namespace convoy
