#ifndef GBGATE_CZLIB_SHIM_H
#define GBGATE_CZLIB_SHIM_H
#include <zlib.h>
/// `deflateInit2` is a macro, which Swift does not see. 31: a gzip header around the largest window.
static inline int gz_begin(z_stream *stream) {
    return deflateInit2(stream, Z_BEST_COMPRESSION, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
}
#endif
