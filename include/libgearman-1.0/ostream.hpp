/* Prints result codes and states of jobs. */

#pragma once

#include <libgearman-1.0/gearman.h>
#include <ostream>

/* The name of the code. */
static inline std::ostream &operator<<(std::ostream &output, const enum gearman_return_t &code)
{
  return output << gearman_strerror(code);
}

/* What is known of the job. */
static inline std::ostream &operator<<(std::ostream &output, const struct gearman_status_t &status)
{
  output << gearman_strerror(gearman_status_return(status)) << " known:" << gearman_status_is_known(status)
         << " running:" << gearman_status_is_running(status) << ' ' << gearman_status_numerator(status) << '/'
         << gearman_status_denominator(status);
  return output;
}
