/* A client's task, as memory of the program. Its members are the library's. */

#pragma once

#ifndef __cplusplus
#include <stdbool.h>
#endif

struct gearman_task_st {
  struct {
    bool is_allocated;
  } options;
  void *_impl;
};

#ifndef __cplusplus
typedef struct gearman_task_st gearman_task_st;
#endif
