// The web console's files, embedded in the binary.
#ifndef GBGATE_CWEBASSETS_H
#define GBGATE_CWEBASSETS_H

#include <stddef.h>

typedef struct {
    /// Of the file, and of its path on the API's port.
    const char *name;
    const char *content_type;
    const unsigned char *bytes;
    size_t length;
} cw_asset;

extern const cw_asset *const cw_assets;
extern const size_t cw_asset_count;

#endif
