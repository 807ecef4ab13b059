/// Switches of lal's that this version knows but does not act on yet. Serve one: delete its line here.
enum UnservedKeys {
    /// Path of the switch, and what stays off.
    static let switches: [(path: String, feature: String, isOn: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("http_notify.enable", "HTTP notify", { $0.httpNotify.enable }),
        ("pprof.enable", "Go's profiler", { $0.pprof.enable }),
    ]

    /// Values other than the default that change nothing yet.
    static let values: [(path: String, feature: String, isSet: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("httpts.gop_num", "groups of pictures of TS apart from those of httpflv", { $0.httpts.gopNum != 1 }),
        ("httpts.single_gop_max_frame_num", "such a limit for TS", { $0.httpts.singleGopMaxFrameNum != 0 }),
        ("debug.log_group_interval_sec", "streams in the log", { $0.debug.logGroupIntervalSec != 0 }),
    ]

    /// Values that protect: an operator who sets one must not believe in it.
    static let limits: [(path: String, what: String, isSet: @Sendable (GatewayConfiguration) -> Bool)] = [
        ("gb28181.username", "a camera's user name is not checked, its password is", { !$0.gb28181.username.isEmpty })
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
    }
}
