import Media
import NIOCore

/// Data messages of a publisher.
enum RTMPScript {
    /// What an FLV script tag of it would hold: `@setDataFrame` is an order to the server and is taken off, access rules are
    /// not media. Nil when nothing remains.
    static func forwarded(_ body: ByteBuffer) -> ByteBuffer? {
        var rest = body
        guard let name = name(&rest) else { return nil }
        switch name {
        case "@setDataFrame":
            return rest.readableBytes > 0 ? rest : nil
        case "|RtmpSampleAccess", "@clearDataFrame":
            return nil
        default:
            return body
        }
    }

    /// Takes a string off the front.
    private static func name(_ bytes: inout ByteBuffer) -> String? {
        guard bytes.readInteger(as: UInt8.self) == 2, let length = bytes.readInteger(as: UInt16.self) else {
            return nil
        }
        return bytes.readString(length: Int(length))
    }
}
