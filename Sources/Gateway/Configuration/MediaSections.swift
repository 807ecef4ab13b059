package struct RTMPSection: Codable, Hashable, Sendable {
    package var enable = true
    package var addr: ListenAddress = ":1935"
    package var rtmpsEnable = false
    package var rtmpsAddr: ListenAddress = ":4935"
    package var rtmpsCertFile = "./conf/cert.pem"
    package var rtmpsKeyFile = "./conf/key.pem"
    /// GOPs that a new viewer gets; 0 is taken as 1, -1 = none: it waits for the next key frame.
    package var gopNum = 1
    /// Messages kept of one GOP; 0 = no limit.
    package var singleGopMaxFrameNum = 0
    /// Bytes that one viewer's writes are gathered to; 0 = by `merge_window_ms` only.
    package var mergeWriteSize = 0
    /// A player of a stream that is not there: `wait` for it, or `refuse` with StreamNotFound.
    package var unknownStream = UnknownStream.wait

    package init() {}
}

package struct InSessionSection: Codable, Hashable, Sendable {
    package var addDummyAudioEnable = false
    package var addDummyAudioWaitAudioMs = 150

    package init() {}
}

/// The listener that FLV, TS and HLS share.
package struct HTTPListenSection: Codable, Hashable, Sendable {
    package var httpListenAddr: ListenAddress = ":8080"
    package var httpsListenAddr: ListenAddress = ":4433"
    package var httpsCertFile = "./conf/cert.pem"
    package var httpsKeyFile = "./conf/key.pem"

    package init() {}
}

package struct HTTPFLVSection: Codable, Hashable, Sendable {
    package var enable = true
    package var enableHttps = false
    /// Prefix of the path; "/" serves every path.
    package var urlPattern = "/"
    package var gopNum = 1
    package var singleGopMaxFrameNum = 0
    /// Empty = the listener of `default_http`. So are the next three.
    package var httpListenAddr: ListenAddress = ""
    package var httpsListenAddr: ListenAddress = ""
    package var httpsCertFile = ""
    package var httpsKeyFile = ""
    /// As of RTMP; a refusal is a 404.
    package var unknownStream = UnknownStream.wait

    package init() {}
}

package struct HTTPTSSection: Codable, Hashable, Sendable {
    package var enable = true
    package var enableHttps = false
    package var urlPattern = "/"
    package var gopNum = 1
    package var singleGopMaxFrameNum = 0
    package var httpListenAddr: ListenAddress = ""
    package var httpsListenAddr: ListenAddress = ""
    package var httpsCertFile = ""
    package var httpsKeyFile = ""

    /// As of RTMP; a refusal is a 404.
    package var unknownStream = UnknownStream.wait

    package init() {}
}

/// fMP4 over HTTP and WebSocket: what the web console and browsers play.
package struct HTTPFMP4Section: Codable, Hashable, Sendable {
    package var enable = true
    package var enableHttps = false
    package var urlPattern = "/"
    package var httpListenAddr: ListenAddress = ""
    package var httpsListenAddr: ListenAddress = ""
    package var httpsCertFile = ""
    package var httpsKeyFile = ""
    package var unknownStream = UnknownStream.wait

    package init() {}
}

package struct HLSSection: Codable, Hashable, Sendable {
    package var enable = true
    package var enableHttps = false
    package var urlPattern = "/hls/"
    package var outPath = "./lal_record/hls/"
    package var fragmentDurationMs = 3_000
    package var fragmentNum = 6
    package var deleteThreshold = 6
    /// 0 never, 1 at the end of the stream, 2 as soon as possible.
    package var cleanupMode = 1
    /// Nothing is written to `out_path`.
    package var useMemoryAsDiskFlag = true
    package var start = HLSStart.auto
    /// A stream that is cut on demand is cut for so long after the last request.
    package var idleStopMs = 30_000
    /// Parts of Low-Latency HLS.
    package var partDurationMs = 200
    /// Segments of one stream that are held, in MB.
    package var memoryMaxMb = 256
    /// Of all streams; 0: a quarter of the machine's memory.
    package var memoryTotalMaxMb = 0
    package var subSessionTimeoutMs = 30_000
    /// Not empty: HLS viewers are sessions.
    package var subSessionHashKey = Secret("")
    package var httpListenAddr: ListenAddress = ""
    package var httpsListenAddr: ListenAddress = ""
    package var httpsCertFile = ""
    package var httpsKeyFile = ""

    package init() {}
}

package struct RTSPSection: Codable, Hashable, Sendable {
    package var enable = true
    package var addr: ListenAddress = ":5544"
    package var rtspsEnable = false
    package var rtspsAddr: ListenAddress = ":5322"
    package var rtspsCertFile = "./conf/cert.pem"
    package var rtspsKeyFile = "./conf/key.pem"
    /// lal's: output begins with a key frame. It always does.
    package var outWaitKeyFrameFlag = true
    /// A port for RTSP over WebSocket alone; `addr` takes it too.
    package var wsRtspEnable = false
    package var wsRtspAddr: ListenAddress = ":5566"
    /// Asks players and publishers for user and password.
    package var authEnable = false
    /// 0 Basic, 1 Digest, 2 both.
    package var authMethod = 1
    package var username = ""
    package var password = Secret("")
    /// GOPs that a new reader gets; 0 is taken as 1, -1 = none: it waits for the next key frame.
    package var gopNum = 1
    /// A reader of a stream that is not there: `refuse` with 404, or `wait` for it as long as DESCRIBE may.
    package var unknownStream = UnknownStream.refuse
    /// How long DESCRIBE waits for a publisher that is to come, as a pull on demand is.
    package var describeTimeoutMs = 10_000
    /// A reader over UDP that is not heard of is over; of readers over TCP the writes tell.
    package var sessionTimeoutMs = 60_000
    /// A publisher that sends nothing is over.
    package var publishTimeoutMs = 10_000
    /// UDP, with a pair of ports a media out of `gb28181.sip_rtp_port_min` to `_max`; else clients are told to use TCP.
    package var udpEnable = true
    package var multicastEnable = false
    /// Each media of each stream has an address of its own.
    package var multicastRange = "224.1.0.0/16"
    /// Of all of them; RTCP has the next.
    package var multicastPort = 8002
    package var multicastTtl = 16
    /// IPv4 address of the interface; empty = as the system's routes say.
    package var multicastInterface = ""

    package init() {}
}

/// When a stream is cut into segments.
package enum HLSStart: String, ConfigurationChoice {
    /// `always` where segments are written to a disk, else `on_demand`.
    case auto
    case always
    case onDemand = "on_demand"
}

/// What becomes of a player whose stream has no publisher.
package enum UnknownStream: String, ConfigurationChoice {
    case wait
    case refuse
}

package struct RecordSection: Codable, Hashable, Sendable {
    package var enableFlv = false
    package var flvOutPath = "./lal_record/flv/"
    package var enableMpegts = false
    package var mpegtsOutPath = "./lal_record/mpegts/"
    package var enableFmp4 = false
    package var fmp4OutPath = "./lal_record/mp4/"
    package var enableHls = false
    /// Not that of `hls`: segments there are the live playlist's.
    package var hlsOutPath = "./lal_record/vod/"
    /// Names of streams, or beginnings with a `*` behind; empty = all.
    package var streams: [String] = []
    /// A file is ended at the first key frame after so long; 0 = never, one file a publication as lal.
    package var segmentDurationSec = 0
    package var segmentSizeMb = 0
    /// 0 = files are kept.
    package var retentionDays = 0
    package var maxTotalMb = 0
    /// What stays free on the disk: the oldest files go for it.
    package var minFreeMb = 0
    /// Of one recording, what may wait for the disk.
    package var queueMb = 8
    package var maxRecordings = 1_024
    /// What was recorded, in SQLite.
    package var indexPath = "./data/recordings.sqlite"

    package init() {}
}
