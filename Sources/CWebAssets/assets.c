#include "CWebAssets.h"

// #embed is C23; clang takes it before.
#pragma clang diagnostic ignored "-Wc23-extensions"

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define IMAGE "image/svg+xml"

// A new file of web/ is embedded here, and listed below.
static const unsigned char api_js[] = {
#embed "web/api.js"
};
static const unsigned char chart_js[] = {
#embed "web/chart.js"
};
static const unsigned char console_css[] = {
#embed "web/console.css"
};
static const unsigned char console_js[] = {
#embed "web/console.js"
};
static const unsigned char devices_js[] = {
#embed "web/devices.js"
};
static const unsigned char dom_js[] = {
#embed "web/dom.js"
};
static const unsigned char format_js[] = {
#embed "web/format.js"
};
static const unsigned char icon_svg[] = {
#embed "web/icon.svg"
};
static const unsigned char index_html[] = {
#embed "web/index.html"
};
static const unsigned char invitations_js[] = {
#embed "web/invitations.js"
};
static const unsigned char list_js[] = {
#embed "web/list.js"
};
static const unsigned char login_js[] = {
#embed "web/login.js"
};
static const unsigned char player_js[] = {
#embed "web/player.js"
};
static const unsigned char recipe_js[] = {
#embed "web/recipe.js"
};
static const unsigned char server_js[] = {
#embed "web/server.js"
};
static const unsigned char sip_js[] = {
#embed "web/sip.js"
};
static const unsigned char store_js[] = {
#embed "web/store.js"
};
static const unsigned char streams_js[] = {
#embed "web/streams.js"
};
static const unsigned char text_js[] = {
#embed "web/text.js"
};
static const unsigned char tile_js[] = {
#embed "web/tile.js"
};
static const unsigned char tree_js[] = {
#embed "web/tree.js"
};
static const unsigned char wall_js[] = {
#embed "web/wall.js"
};
static const unsigned char watch_js[] = {
#embed "web/watch.js"
};

#define ASSET(name, type, bytes) {name, type, bytes, sizeof(bytes)}

static const cw_asset assets[] = {
    ASSET("api.js", SCRIPT, api_js),
    ASSET("chart.js", SCRIPT, chart_js),
    ASSET("console.css", CSS, console_css),
    ASSET("console.js", SCRIPT, console_js),
    ASSET("devices.js", SCRIPT, devices_js),
    ASSET("dom.js", SCRIPT, dom_js),
    ASSET("format.js", SCRIPT, format_js),
    ASSET("icon.svg", IMAGE, icon_svg),
    ASSET("index.html", HTML, index_html),
    ASSET("invitations.js", SCRIPT, invitations_js),
    ASSET("list.js", SCRIPT, list_js),
    ASSET("login.js", SCRIPT, login_js),
    ASSET("player.js", SCRIPT, player_js),
    ASSET("recipe.js", SCRIPT, recipe_js),
    ASSET("server.js", SCRIPT, server_js),
    ASSET("sip.js", SCRIPT, sip_js),
    ASSET("store.js", SCRIPT, store_js),
    ASSET("streams.js", SCRIPT, streams_js),
    ASSET("text.js", SCRIPT, text_js),
    ASSET("tile.js", SCRIPT, tile_js),
    ASSET("tree.js", SCRIPT, tree_js),
    ASSET("wall.js", SCRIPT, wall_js),
    ASSET("watch.js", SCRIPT, watch_js),
};

const cw_asset *const cw_assets = assets;
const size_t cw_asset_count = sizeof(assets) / sizeof(assets[0]);
