import Media
import NIOCore

/// A command message (RTMP 1.0 section 7.2): a name, a transaction and arguments. The first argument is the command object,
/// null in most.
struct RTMPCommand: Hashable, Sendable {
    var name: String
    var transaction: Double
    var arguments: [AMF0Value]

    init(_ name: String, transaction: Double = 0, _ arguments: AMF0Value...) {
        self.name = name
        self.transaction = transaction
        self.arguments = arguments
    }

    /// Reads as many arguments as can be read: what matters comes first. Nil without a name.
    init?(_ message: RTMPMessage) {
        var reader = AMF0Reader(message.amf0Body)
        var values = reader.readable()
        guard let name = values.first?.string else { return nil }
        values.removeFirst()
        self.name = name
        // Some players leave the transaction out of commands that are not answered.
        if let number = values.first?.number {
            transaction = number
            values.removeFirst()
        } else {
            transaction = 0
        }
        arguments = values
    }

    /// The argument at an index, counted from the command object.
    func argument(_ index: Int) -> AMF0Value? {
        arguments.indices.contains(index) ? arguments[index] : nil
    }

    var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        AMF0Value.string(name).write(into: &buffer)
        AMF0Value.number(transaction).write(into: &buffer)
        for argument in arguments { argument.write(into: &buffer) }
        return buffer
    }
}

extension RTMPMessage {
    /// The body as AMF0. AMF3 commands and data carry one byte, 0 in most, before values that are AMF0 all the same.
    var amf0Body: ByteBuffer {
        guard type == RTMPMessageType.commandAMF3.rawValue || type == RTMPMessageType.dataAMF3.rawValue else {
            return body
        }
        var rest = body
        // 2 is the marker of the name itself: some leave the byte out.
        if rest.readableBytes > 0, rest.getInteger(at: rest.readerIndex, as: UInt8.self) != 2 {
            rest.moveReaderIndex(forwardBy: 1)
        }
        return rest
    }
}
