/// Everything an operator may set: lal's sections with lal's names, and this product's own.
///
/// The initial values are the defaults: a missing key, or no file at all, means them. Property names become the file's
/// keys by snake case (`urlPattern` is `url_pattern`), so a new key is one line here, one in the shipped
/// configuration and one in docs/configuration.md; a test compares the three.
package struct GatewayConfiguration: Codable, Hashable, Sendable {
    /// Compared with lal's v0.4.1 by nobody: kept so that lal's file loads.
    package var confVersion = "v0.4.1"
    package var rtmp = RTMPSection()
    package var inSession = InSessionSection()
    package var defaultHttp = HTTPListenSection()
    package var httpflv = HTTPFLVSection()
    package var hls = HLSSection()
    package var httpts = HTTPTSSection()
    package var httpfmp4 = HTTPFMP4Section()
    package var rtsp = RTSPSection()
    package var record = RecordSection()
    package var relayPush = RelayPushSection()
    package var staticRelayPull = StaticRelayPullSection()
    package var relay = RelaySection()
    package var publish = PublishSection()
    package var httpApi = HTTPAPISection()
    /// Echoed by the API and the hooks.
    package var serverId = "1"
    package var httpNotify = HTTPNotifySection()
    package var simpleAuth = SimpleAuthSection()
    package var pprof = PprofSection()
    package var log = LogSection()
    package var debug = DebugSection()
    package var gb28181 = GB28181Section()
    /// The longest that output waits to be sent together with what follows; it is used only as the load grows.
    package var mergeWindowMs = 40
    package var limits = LimitsSection()
    package var store = StoreSection()
    package var dump = DumpSection()

    package init() {}
}

/// What the process takes on at most. More is refused and counted.
package struct LimitsSection: Codable, Hashable, Sendable {
    package var maxDevices = 20_000
    package var maxChannels = 200_000
    package var maxStreams = 5_000
    package var maxViewers = 20_000
    /// Of one IP address, over all listeners; 0 = no limit.
    package var maxConnectionsPerIp = 0
    /// Kilobytes cached of a stream with viewers, from its newest key frame on.
    package var gopCacheMaxKb = 16_384
    /// Kilobytes cached of a stream that nobody watches.
    package var idleGopCacheKb = 192

    package init() {}
}

/// The embedded database: devices, channels and open dialogs, so that a restart loses nothing.
package struct StoreSection: Codable, Hashable, Sendable {
    package var enable = true
    package var path = "./data/gbgate.sqlite"

    package init() {}
}

/// Where raw dumps of RTP inputs go.
package struct DumpSection: Codable, Hashable, Sendable {
    package var outPath = "./dump/"

    package init() {}
}
