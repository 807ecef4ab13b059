import Foundation
import NIOCore

/// One answer over HTTP, whole.
struct Fetched: Sendable {
    let status: Int
    let head: String
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name {
                return parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return nil
    }

    static func get(_ target: String, port: Int, method: String = "GET", headers: String = "") async throws -> Fetched {
        let connection = try await Connection.open(port: port)
        try await connection.send(
            "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\(headers)\r\n"
        )
        let all = await connection.readToEnd()
        let bytes = Array(all.readableBytesView)
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw NeverHappened(what: "a head of \(target)")
        }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return Fetched(status: status, head: head, body: Array(bytes[end.upperBound...]))
    }
}
