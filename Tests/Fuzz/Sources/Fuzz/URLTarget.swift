import Streaming

/// Input: a request target, a stream's path or an RTMP URL, in any bytes.
func fuzzURL(_ input: [UInt8]) {
    let text = String(decoding: input, as: UTF8.self)
    if let request = try? HTTPStreamRequest(target: text) {
        check(request.address)
        precondition(!request.fileExtension.isEmpty)
        // The path of the address, written out again, names the same stream.
        let path = (request.address.app.isEmpty ? "" : request.address.app + "/") + request.address.stream
        let again = try? StreamAddress(path: path)
        precondition(again?.app == request.address.app && again?.stream == request.address.stream)
    }
    if let address = try? StreamAddress(path: text) {
        check(address)
        _ = address.hevcFormat
    }
    if let url = try? RTMPURL(text) {
        precondition(!url.host.isEmpty && !url.stream.isEmpty && (1...65_535).contains(url.port))
        var bare = url
        bare.user = ""
        bare.password = ""
        precondition(url.redacted == bare.redacted && !url.redacted.contains("?"), "shows a secret")
        _ = url.tcURL
        _ = url.query
    }
}
