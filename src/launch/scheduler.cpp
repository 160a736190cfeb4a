#include "launch/scheduler.h"

namespace convoy {

std::unique_ptr<Scheduler> make_scheduler(const Site& site, const LaunchRequest& request) {
  if (site.scheduler == "slurm") return make_slurm(site, request);
  if (site.scheduler == "pbs") return make_pbs(site, request);
  if (site.scheduler == "lsf") return make_lsf(site, request);
  if (site.scheduler == "flux") return make_flux(site, request);
  return make_direct(site, request);
}

}  // namespace convoy
