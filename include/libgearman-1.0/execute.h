/* Part of libgearman-1.0/gearman.h. */

#pragma once

#include <libgearman-1.0/gearman.h>
