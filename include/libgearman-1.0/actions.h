/* What is called for a task. Whatever is not GEARMAN_SUCCESS ends gearman_client_run_tasks() with that value. */

#pragma once

#include <libgearman-1.0/interface/task.h>
#include <libgearman-1.0/return.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef gearman_return_t(gearman_task_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_workload_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_created_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_data_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_warning_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_universal_status_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_complete_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_exception_fn)(gearman_task_st *task);
typedef gearman_return_t(gearman_fail_fn)(gearman_task_st *task);

#ifdef __cplusplus
}
#endif

/* The callbacks of a task. */
typedef struct gearman_actions_t {
  gearman_workload_fn *workload_fn;
  gearman_created_fn *created_fn;
  gearman_data_fn *data_fn;
  gearman_warning_fn *warning_fn;
  gearman_universal_status_fn *status_fn;
  gearman_complete_fn *complete_fn;
  gearman_exception_fn *exception_fn;
  gearman_fail_fn *fail_fn;
} gearman_actions_t;

#ifdef __cplusplus
/* Callbacks that answer GEARMAN_PAUSE once for every event. */
const gearman_actions_t &gearman_actions_pause();
#endif
