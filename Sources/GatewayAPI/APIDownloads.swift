internal import Gateway

/// What the API serves as it is, not in lal's envelope.
enum APIDownload {
    static let paths: Set<String> = ["/api/record/file", "/api/snapshot"]

    static func find(_ request: APIRequest, _ control: any GatewayControl) async throws -> ControlDownload {
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
