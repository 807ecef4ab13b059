/// Which URLs a server's description stands for (RFC 2326 C.1.1, and what cameras make of it).
enum RTSPClientURLs {
    /// The URL of the session.
    ///
    /// - Parameters:
    ///   - control: the session's `a=control`.
    ///   - contentBase: `Content-Base`; some cameras write a path alone.
    ///   - url: that of DESCRIBE.
    static func base(control: String?, contentBase: String?, url: RTSPURL) -> RTSPURL {
        var base = url
        if let contentBase, !contentBase.isEmpty {
            base = absolute(contentBase, url) ?? url
        }
        guard let control, !control.isEmpty, control != "*" else { return base }
        if let named = absolute(control, url) { return named }
        return joined(base, control) ?? base
    }

    /// The URL of a media.
    ///
    /// - Parameter url: of the connection: a camera behind NAT names an address that is of use to nobody.
    static func media(control: String?, base: RTSPURL, url: RTSPURL) -> RTSPURL {
        guard let control, !control.isEmpty, control != "*" else { return base }
        if control.contains("://") {
            guard var named = try? RTSPURL(control) else { return base }
            named.isTLS = url.isTLS
            named.host = url.host
            named.port = url.port
            return named
        }
        return joined(base, control) ?? base
    }

    /// Behind the query where there is one, as everybody does.
    private static func joined(_ base: RTSPURL, _ control: String) -> RTSPURL? {
        let text = base.text
        return try? RTSPURL(text + (text.last == "/" || control.first == "?" ? "" : "/") + control)
    }

    private static func absolute(_ text: String, _ url: RTSPURL) -> RTSPURL? {
        try? RTSPURL(text.first == "/" ? url.origin + text : text)
    }
}

extension RTSPURL {
    /// Where a redirect leads to. User and password go along to the same host alone.
    func redirected(to location: String) throws(RTSPClientFault) -> RTSPURL {
        guard var target = try? RTSPURL(location.first == "/" ? origin + location : location) else {
            throw .redirected("the server redirects to what is no RTSP URL")
        }
        guard target.isTLS || !isTLS else {
            throw .redirected("the server redirects from rtsps:// to rtsp://, which is not followed")
        }
        if target.user.isEmpty, target.password.isEmpty, target.host.lowercased() == host.lowercased() {
            target.user = user
            target.password = password
        }
        return target
    }
}
