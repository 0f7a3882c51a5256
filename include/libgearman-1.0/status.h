/* How a job stands. */

#pragma once

#include <libgearman-1.0/interface/status.h>
