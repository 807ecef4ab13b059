import Foundation
import NIOCore

/// Firefox's own remote control: JSON after its length, over TCP. One command at a time.
actor Marionette {
    private let connection: Connection
    private var bytes = ByteBuffer()
    private var last = 0

    init(port: Int) async throws {
        connection = try await Connection.open(port: port)
        // A greeting comes first.
        _ = try await message()
    }

    /// One command and its answer.
    func ask<Value: Decodable & Sendable>(
        _ command: String,
        _ parameters: [String: DevToolsParameter] = [:]
    ) async throws -> Value {
        last += 1
        let request: DevToolsParameter = .list([
            0, .number(Double(last)), .text(command), .members(parameters),
        ])
        let json = try JSONEncoder().encode(request)
        try await connection.send(Array("\(json.count):".utf8) + Array(json))
        while true {
            let answer = try JSONDecoder().decode(MarionetteAnswer<Value>.self, from: try await message())
            guard answer.id == last else { continue }
            if let error = answer.error { throw PageException(text: "\(command): \(error.error): \(error.message)") }
            guard let value = answer.value else { throw NeverHappened(what: "\(command): no result") }
            return value
        }
    }

    func close() async {
        await connection.close()
    }

    private func message() async throws -> Data {
        while true {
            let view = bytes.readableBytesView
            if let colon = view.firstIndex(of: UInt8(ascii: ":")) {
                guard let length = Int(String(decoding: view[..<colon], as: UTF8.self)) else {
                    throw NeverHappened(what: "a length before an answer of Firefox")
                }
                let head = colon - view.startIndex + 1
                if view.count >= head + length {
                    bytes.moveReaderIndex(forwardBy: head)
                    return Data(bytes.readBytes(length: length) ?? [])
                }
            }
            guard var piece = await connection.next() else {
                try Task.checkCancellation()
                throw NeverHappened(what: "an answer: Firefox has ended")
            }
            bytes.discardReadBytes()
            bytes.writeBuffer(&piece)
        }
    }
}

/// `[1, id, error or null, result or null]`
private struct MarionetteAnswer<Value: Decodable>: Decodable {
    struct Refusal: Decodable {
        var error: String
        var message: String
    }

    var id: Int
    var error: Refusal?
    var value: Value?

    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        _ = try list.decode(Int.self)
        id = try list.decode(Int.self)
        error = try list.decodeIfPresent(Refusal.self)
        if error == nil { value = try list.decodeIfPresent(Value.self) }
    }
}
