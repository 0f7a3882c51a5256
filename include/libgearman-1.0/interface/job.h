/* A job that a worker has, as memory of the program. Its members are the library's. */

#pragma once

#ifndef __cplusplus
#include <stdbool.h>
#endif

struct gearman_job_st {
  struct {
    bool is_allocated;
    bool is_initialized;
  } options;
  void *_impl;
};

#ifndef __cplusplus
typedef struct gearman_job_st gearman_job_st;
#endif
