extension ServerStat.URLTemplate {
    static func rtsp(port: Int, isSecure: Bool) -> Self {
        isSecure
            ? Self("RTSPS", "rtsps://{host}:\(port)/live/{stream}")
            : Self("RTSP", "rtsp://{host}:\(port)/live/{stream}")
    }

    static func rtmp(port: Int, isSecure: Bool) -> Self {
        isSecure
            ? Self("RTMPS", "rtmps://{host}:\(port)/live/{stream}")
            : Self("RTMP", "rtmp://{host}:\(port)/live/{stream}")
    }

    /// What a listener serves of a form of streams.
    static func http(_ service: HTTPService, port: Int, isSecure: Bool) -> [Self] {
        let secure = isSecure ? "s" : ""
        let place = "{host}:\(port)\(service.folder){stream}"
        let label: String
        let suffix: String
        switch service.form {
        case .hls:
            let tls = isSecure ? "-TLS" : ""
            return [
                Self("HLS\(tls)", "http\(secure)://\(place).m3u8"),
                Self("LL-HLS\(tls)", "http\(secure)://\(place)/index.m3u8"),
            ]
        case .flv: (label, suffix) = ("FLV", "flv")
        case .ts: (label, suffix) = ("TS", "ts")
        case .fmp4: (label, suffix) = ("fMP4", "mp4")
        }
        return [
            Self("HTTP\(secure.uppercased())-\(label)", "http\(secure)://\(place).\(suffix)"),
            Self("WS\(secure.uppercased())-\(label)", "ws\(secure)://\(place).\(suffix)"),
        ]
    }
}

extension HTTPService {
    /// With slashes around it. Where everything is served, lal's players say `live`.
    fileprivate var folder: String {
        let start = pattern.hasPrefix("/") ? pattern : "/" + pattern
        let folder = start.hasSuffix("/") ? start : start + "/"
        return folder == "/" && form != .hls ? "/live/" : folder
    }
}
