import NIOCore
import Streaming

/// Input: a byte of options, a byte of the cut, then the frames of a peer (even options), or what messages to write and read back
/// (odd ones). With 2 in the options we are the client.
func fuzzWebSocket(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    let side: WebSocketSide = options & 2 == 0 ? .server : .client
    if options & 1 == 1 { return writeAndRead(&input, cut, side) }
    let stream = input.remaining()
    let whole = read([ByteBuffer(bytes: stream)], side, weighs: false)
    let split = read(pieces(stream, cut: cut), side, weighs: options & 0x38 == 0x38)
    require(split.events, is: whole.events, "depends on the cut")
    precondition(whole.fault == split.fault, "depends on the cut")
}

private let limit = 4_096

private func read(
    _ pieces: [ByteBuffer],
    _ side: WebSocketSide,
    weighs: Bool
) -> (events: [WebSocketEvent], fault: WebSocketFault?) {
    var parser = WebSocketParser(side, maximumLength: limit)
    var events: [WebSocketEvent] = []
    for piece in pieces {
        do throws(WebSocketFault) {
            try parser.receive(piece, into: &events)
        } catch {
            precondition((1002...1009).contains(error.closeCode))
            precondition(error.reason.utf8.count <= 123)
            return (events, error)
        }
        // A frame that is not complete, a message that is not, and the read that brought them.
        if weighs { precondition(footprint(parser) <= 8 * limit + 4 * piece.readableBytes) }
    }
    for event in events { check(event) }
    return (events, nil)
}

private func check(_ event: WebSocketEvent) {
    switch event {
    case .text(let payload), .binary(let payload): precondition(payload.readableBytes <= limit)
    case .ping(let payload), .pong(let payload): precondition(payload.readableBytes <= 125)
    case .close(let code): precondition((1000...4999).contains(code))
    }
}

private func writeAndRead(_ input: inout InputReader, _ cut: UInt8, _ side: WebSocketSide) {
    var bytes = ByteBuffer()
    var expected: [WebSocketEvent] = []
    while !input.isAtEnd, expected.count < 20 {
        let kind = input.byte()
        let mask = input.uint32()
        let length = Int(input.byte()) * (kind & 8 == 0 ? 1 : 16)
        let payload = ByteBuffer(repeating: input.byte() & 0x7F, count: kind & 1 == 0 ? length : min(length, 125))
        let opcode: WebSocketOpcode = [.text, .ping, .binary, .pong][Int(kind & 3)]
        switch side {
        case .server: WebSocketFrame.write(opcode: opcode, payload: payload, mask: mask, into: &bytes)
        case .client: WebSocketFrame.write(opcode: opcode, payload: payload, into: &bytes)
        }
        switch opcode {
        case .text: expected.append(.text(payload))
        case .binary: expected.append(.binary(payload))
        case .ping: expected.append(.ping(payload))
        default: expected.append(.pong(payload))
        }
    }
    if side == .client {
        WebSocketFrame.writeClose(code: 1001, reason: String(repeating: "é", count: Int(cut)), into: &bytes)
        expected.append(.close(code: 1001))
    }
    let found = read(pieces(Array(buffer: bytes), cut: cut), side, weighs: false)
    precondition(found.fault == nil)
    require(found.events, is: expected, "reads as something else")
}
