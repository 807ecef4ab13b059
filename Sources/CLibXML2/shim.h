#ifndef GBGATE_CLIBXML2_SHIM_H
#define GBGATE_CLIBXML2_SHIM_H
#include <libxml/xmlversion.h>
// Without it libxml/encoding.h brings Debian's ICU, whose types clash with those of Foundation's own ICU wherever one compilation loads both.
// Only xmlCharEncodingHandler gets shorter by that, which Swift must not look into.
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>
#include <libxml/SAX2.h>
#include <libxml/xmlerror.h>
#endif
