package struct HTTPAPISection: Codable, Hashable, Sendable {
    package var enable = true
    package var addr: ListenAddress = "127.0.0.1:8083"
    /// Asked as `Authorization: Bearer` or `?token=`. Empty: the API stays on loopback.
    package var token = Secret("")

    package init() {}
}

package struct HTTPNotifySection: Codable, Hashable, Sendable {
    package var enable = false
    /// 0 = no periodic `on_update`.
    package var updateIntervalSec = 5
    /// An URL each; empty = the event is off.
    package var onServerStart = ""
    package var onUpdate = ""
    package var onPubStart = ""
    package var onPubStop = ""
    package var onSubStart = ""
    package var onSubStop = ""
    package var onRelayPullStart = ""
    package var onRelayPullStop = ""
    package var onRtmpConnect = ""
    package var onHlsMakeTs = ""

    package init() {}
}

/// `lal_secret` in URLs: valid is `md5(key + stream name)` or the master secret.
package struct SimpleAuthSection: Codable, Hashable, Sendable {
    package var key = Secret("")
    package var dangerousLalSecret = Secret("")
    package var pubRtmpEnable = false
    package var subRtmpEnable = false
    package var subHttpflvEnable = false
    package var subHttptsEnable = false
    package var pubRtspEnable = false
    package var subRtspEnable = false
    package var hlsM3u8Enable = false

    package init() {}
}

/// Go's profiler: known so that lal's file loads.
package struct PprofSection: Codable, Hashable, Sendable {
    package var enable = false
    package var addr: ListenAddress = ":8084"

    package init() {}
}

package struct LogSection: Codable, Hashable, Sendable {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 fatal, 6 panic, 7 off.
    package var level = 2
    /// Empty = no file.
    package var filename = "./logs/gbgate.log"
    package var isToStdout = true
    package var isRotateDaily = true
    package var isRotateHourly = false
    /// Rotated files older than this are deleted; 0 = never.
    package var maxRotateDays = 30
    /// The source file and line in each record.
    package var shortFileFlag = false
    package var timestampFlag = true
    package var timestampWithMsFlag = true
    package var levelFlag = true
    /// Go's reaction to a failed assertion: known so that lal's file loads.
    package var assertBehavior = 1
    /// One JSON object a line in place of text.
    package var isJson = false

    package init() {}
}

/// A dump of all groups into the log, at debug level.
package struct DebugSection: Codable, Hashable, Sendable {
    /// 0 = off.
    package var logGroupIntervalSec = 0
    package var logGroupMaxGroupNum = 10
    package var logGroupMaxSubNumPerGroup = 10

    package init() {}
}
