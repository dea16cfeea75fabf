// The argument structs of all kernels, one header a family.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/winograd.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/norm/norm.h"
#include "kernels/pool/pool.h"
#include "kernels/reduce/reduce.h"
#include "kernels/reorder/reorder.h"
