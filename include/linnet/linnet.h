// Everything.
//
//   #include <linnet/linnet.h>
#pragma once

#include "linnet/classify.h"
#include "linnet/convert.h"
#include "linnet/cpu.h"
#include "linnet/datum.h"
#include "linnet/error.h"
#include "linnet/image.h"
#include "linnet/model.h"
#include "linnet/operators.h"
#include "linnet/preprocess.h"
#include "linnet/session.h"
#include "linnet/tensor.h"
#include "linnet/tensor_file.h"
#include "linnet/tuning.h"
#include "linnet/version.h"
