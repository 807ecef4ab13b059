internal import Gateway
internal import Wire

/// What the API serves as it is, not in lal's envelope.
enum APIDownload {
    static let paths: Set<String> = ["/api/record/file", "/api/snapshot"]

    /// What was recorded as HLS: `/api/record/hls/<stream>/record.m3u8`, and the segments beside it.
    private static let hls = "/api/record/hls/"

    static func serves(_ path: String) -> Bool { paths.contains(path) || path.hasPrefix(hls) }

    static func find(_ request: APIRequest, _ control: any GatewayControl) async throws -> ControlDownload {
        if request.path.hasPrefix(hls) {
            let items = request.path.dropFirst(hls.count).split(separator: "/", omittingEmptySubsequences: false)
            let names = items.compactMap { PercentEncoding.decode($0) }
            guard names.count == 2, items.count == 2 else { throw ControlError.pageNotFound }
            // The token that opened the list opens its segments.
            let token = request.value("token").map { "token=" + APIFileName.encoded($0) } ?? ""
            return try await control.recordHLS(streamName: names[0], file: names[1], query: token)
        }
        switch request.path {
        case "/api/record/file":
            guard let id = try request.number("id") else { throw ControlError.paramMissing("id is missing") }
            return try await control.recordFile(Int64(id))
        default:
            guard let name = request.value("stream_name"), !name.isEmpty else {
                throw ControlError.paramMissing("stream_name is missing")
            }
            let format = request.value("format") ?? "jpg"
            guard ["jpg", "raw"].contains(format) else {
                throw ControlError.paramMissing("format is \"\(format)\", expected jpg or raw")
            }
            return try await control.snapshot(streamName: name, isRaw: format == "raw")
        }
    }
}
