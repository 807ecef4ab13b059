/// Switches of lal's that this version knows but does not act on yet. Serve one: delete its line here.
enum UnservedKeys {
    /// Path of the switch, and what stays off.
    static let switches: [(path: String, feature: String, isOn: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("rtmp.rtmps_enable", "RTMP over TLS", { $0.rtmp.rtmpsEnable }),
        ("in_session.add_dummy_audio_enable", "silent audio", { $0.inSession.addDummyAudioEnable }),
        ("httpflv.enable_https", "FLV over TLS", { $0.httpflv.enableHttps }),
        ("hls.enable", "HLS", { $0.hls.enable }),
        ("hls.enable_https", "HLS over TLS", { $0.hls.enableHttps }),
        ("httpts.enable", "HTTP-TS", { $0.httpts.enable }),
        ("httpts.enable_https", "TS over TLS", { $0.httpts.enableHttps }),
        ("rtsp.enable", "RTSP", { $0.rtsp.enable }),
        ("rtsp.rtsps_enable", "RTSP over TLS", { $0.rtsp.rtspsEnable }),
        ("rtsp.ws_rtsp_enable", "RTSP over WebSocket", { $0.rtsp.wsRtspEnable }),
        ("record.enable_flv", "FLV recording", { $0.record.enableFlv }),
        ("record.enable_mpegts", "TS recording", { $0.record.enableMpegts }),
        ("relay_push.enable", "relay push", { $0.relayPush.enable }),
        ("static_relay_pull.enable", "static relay pull", { $0.staticRelayPull.enable }),
        ("http_notify.enable", "HTTP notify", { $0.httpNotify.enable }),
        ("pprof.enable", "Go's profiler", { $0.pprof.enable }),
    ]

    /// Values other than the default that change nothing yet.
    static let values: [(path: String, feature: String, isSet: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("rtmp.gop_num", "another number of cached groups than 1", { $0.rtmp.gopNum != 1 }),
        ("rtmp.single_gop_max_frame_num", "a limit in frames", { $0.rtmp.singleGopMaxFrameNum != 0 }),
        ("rtmp.merge_write_size", "merging by size", { $0.rtmp.mergeWriteSize != 0 }),
        ("httpflv.gop_num", "another number of cached groups than 1", { $0.httpflv.gopNum != 1 }),
        ("httpflv.single_gop_max_frame_num", "a limit in frames", { $0.httpflv.singleGopMaxFrameNum != 0 }),
        ("httpflv.url_pattern", "a prefix of the path", { $0.httpflv.urlPattern != "/" }),
        ("debug.log_group_interval_sec", "streams in the log", { $0.debug.logGroupIntervalSec != 0 }),
    ]

    /// Switches that protect: an operator who sets one must not believe in it.
    static let protections: [(path: String, isOn: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("simple_auth.pub_rtmp_enable", { $0.simpleAuth.pubRtmpEnable }),
        ("simple_auth.sub_rtmp_enable", { $0.simpleAuth.subRtmpEnable }),
        ("simple_auth.sub_httpflv_enable", { $0.simpleAuth.subHttpflvEnable }),
    ]

    /// Values that protect, likewise.
    static let limits: [(path: String, what: String, isSet: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("gb28181.username", "a camera's user name is not checked, its password is", { !$0.gb28181.username.isEmpty }),
        (
            "limits.max_connections_per_ip", "connections of an address are not limited",
            { $0.limits.maxConnectionsPerIp != 0 }
        ),
    ]

    static func problems(_ configuration: GatewayConfiguration) -> [ConfigurationProblem] {
        switches.filter { $0.isOn(configuration) }.map { unserved in
            .notice(unserved.path, "has no effect yet: this version does not serve \(unserved.feature)")
        }
            + values.filter { $0.isSet(configuration) }.map { unserved in
                .notice(unserved.path, "has no effect yet: this version does not serve \(unserved.feature)")
            }
            + limits.filter { $0.isSet(configuration) }.map { unserved in
                .warning(unserved.path, "has no effect yet: \(unserved.what) by this version")
            }
            + protections.filter { $0.isOn(configuration) }.map { unserved in
                .warning(unserved.path, "has no effect yet: lal_secret is not checked by this version")
            }
    }
}
