import Foundation
import NIOCore

/// The HTTP API as a user's program meets it.
struct API: Sendable {
    let port: Int

    /// One answer, taken apart no further than a test needs.
    struct Answer: Sendable {
        let status: Int
        let text: String

        var code: Int { integer("error_code") ?? -1 }
        var desp: String { string("desp") ?? "" }

        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }

        var data: [String: Any] { json["data"] as? [String: Any] ?? [:] }

        /// A member of the envelope, else of `data`.
        func string(_ name: String) -> String? { (json[name] ?? data[name]) as? String }
        func integer(_ name: String) -> Int? { ((json[name] ?? data[name]) as? NSNumber)?.intValue }
    }

    func get(_ path: String, headers: String = "") async throws -> Answer {
        try await ask("GET", path, headers: headers)
    }

    func post(_ path: String, _ body: String) async throws -> Answer {
        try await ask("POST", path, body: body)
    }

    func ask(_ method: String, _ path: String, headers: String = "", body: String = "") async throws -> Answer {
        let connection = try await Connection.open(port: port)
        try await connection.send(
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\(headers)"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        let text = String(buffer: await connection.readToEnd())
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return Answer(status: status, text: parts.count == 2 ? String(parts[1]) : "")
    }

    func invite(
        _ device: String,
        _ channel: String,
        stream: String = "",
        tcp: Int = 0,
        port: Int = 0
    ) async throws -> Answer {
        try await post(
            "/api/ctrl/gb28181_invite",
            """
            {"device_id":"\(device)","channel_id":"\(channel)","stream_name":"\(stream)","is_tcp_flag":\(tcp),"port":\(port)}
            """
        )
    }

    func bye(_ device: String, _ channel: String) async throws -> Answer {
        try await post("/api/ctrl/gb28181_bye", #"{"device_id":"\#(device)","channel_id":"\#(channel)"}"#)
    }

    func kick(_ stream: String, _ session: String) async throws -> Answer {
        try await post("/api/ctrl/kick_session", #"{"stream_name":"\#(stream)","session_id":"\#(session)"}"#)
    }

    func group(_ stream: String) async throws -> Answer {
        try await get("/api/stat/group?stream_name=\(stream)")
    }

    /// Names of the streams that there are.
    func streams() async throws -> [String] {
        let groups = try await get("/api/stat/all_group").data["groups"] as? [[String: Any]] ?? []
        return groups.compactMap { $0["stream_name"] as? String }
    }

    func devices() async throws -> [[String: Any]] {
        try await get("/api/stat/gb28181_devices").data["devices"] as? [[String: Any]] ?? []
    }

    /// How many devices are online with a channel.
    func playable() async throws -> Int {
        try await devices().count { device in
            let channels = device["channels"] as? [Any] ?? []
            return device["status"] as? String == "online" && !channels.isEmpty
        }
    }

    /// The SIP messages of a device: direction and first line.
    func messages(_ device: String) async throws -> [(direction: String, line: String, text: String)] {
        let all =
            try await get("/api/stat/gb28181_messages?device_id=\(device)").data["messages"] as? [[String: Any]] ?? []
        return all.map { record in
            let text = record["text"] as? String ?? ""
            let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            return (record["direction"] as? String ?? "", line, text)
        }
    }
}
