import Media
import NIOCore
import Testing

@Suite("AMF0")
struct AMF0Tests {
    /// One of each type, nested.
    static let value: AMF0Value = .object([
        AMF0Property("app", .string("live")),
        AMF0Property("number", .number(-1.5)),
        AMF0Property("flag", .boolean(true)),
        AMF0Property("none", .null),
        AMF0Property("nothing", .undefined),
        AMF0Property("when", .date(1_700_000_000_000)),
        AMF0Property("list", .strictArray([.string("hvc1"), .number(1), .object([])])),
        AMF0Property("map", .ecmaArray([AMF0Property("x", .string("ü"))])),
    ])

    static func encoded(_ value: AMF0Value) -> ByteBuffer {
        var buffer = ByteBuffer()
        value.write(into: &buffer)
        return buffer
    }

    @Test("writes the bytes of the specification")
    func writesBytes() {
        #expect(Self.encoded(.number(1)) == ByteBuffer(bytes: [0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]))
        #expect(Self.encoded(.boolean(true)) == ByteBuffer(bytes: [1, 1]))
        #expect(Self.encoded(.string("ab")) == ByteBuffer(bytes: [2, 0, 2, 0x61, 0x62]))
        #expect(
            Self.encoded(.object([AMF0Property("a", .null)])) == ByteBuffer(bytes: [3, 0, 1, 0x61, 5, 0, 0, 9])
        )
        #expect(
            Self.encoded(.ecmaArray([AMF0Property("a", .undefined)]))
                == ByteBuffer(bytes: [8, 0, 0, 0, 1, 0, 1, 0x61, 6, 0, 0, 9])
        )
    }

    @Test("reads back what it wrote")
    func readsBack() throws {
        var reader = AMF0Reader(Self.encoded(Self.value))
        #expect(try reader.next() == Self.value)
        #expect(reader.isAtEnd)
        #expect(try reader.next() == nil)
    }

    @Test("strings beyond 65,535 bytes are long strings")
    func longStrings() throws {
        let text = String(repeating: "x", count: 70_000)
        var reader = AMF0Reader(Self.encoded(.string(text)))
        #expect(try reader.next() == .string(text))
    }

    @Test("cut short anywhere, it is an error or the properties that were whole, never a crash")
    func everyTruncation() {
        guard case .object(let all) = Self.value else { return }
        let whole = Self.encoded(Self.value)
        for length in 0..<whole.readableBytes - 16 {
            var reader = AMF0Reader(whole.getSlice(at: 0, length: length) ?? ByteBuffer())
            guard let value = try? reader.next() else { continue }
            guard case .object(let properties) = value else {
                Issue.record("an object became \(value)")
                continue
            }
            #expect(properties == Array(all.prefix(properties.count)) && properties.count < all.count)
        }
    }

    @Test("each byte replaced by each marker stays within the limits")
    func everyReplacement() {
        let whole = Self.encoded(Self.value)
        for index in 0..<whole.readableBytes {
            for byte in [0, 3, 8, 9, 10, 11, 12, 16, 17, 0x7F, 0xFF] as [UInt8] {
                var bytes = whole
                bytes.setInteger(byte, at: index)
                var reader = AMF0Reader(bytes)
                #expect(reader.readable().count <= AMF0Reader.maximumValues)
            }
        }
    }

    @Test("nesting beyond the limit is refused")
    func refusesDepth() {
        let bytes = ByteBuffer(bytes: Array(repeating: [3, 0, 1, 0x61] as [UInt8], count: 40).flatMap(\.self))
        var reader = AMF0Reader(bytes)
        #expect(throws: AMF0Error.tooDeep) { try reader.next() }
    }

    @Test("an array that claims more elements than bytes is refused at once")
    func refusesLyingCount() {
        var reader = AMF0Reader(ByteBuffer(bytes: [10, 0xFF, 0xFF, 0xFF, 0xFF, 5, 5]))
        #expect(throws: AMF0Error.truncated) { try reader.next() }
    }

    @Test("more values than the limit are refused")
    func refusesNumber() {
        let bytes = [10, 0, 0, 0x20, 0] + Array(repeating: 5 as UInt8, count: 8192)
        var reader = AMF0Reader(ByteBuffer(bytes: bytes))
        #expect(throws: AMF0Error.tooMany) { try reader.next() }
    }

    @Test("an array without its end marker at the end of the message is complete")
    func missingEndMarker() throws {
        var reader = AMF0Reader(ByteBuffer(bytes: [8, 0, 0, 0, 1, 0, 1, 0x61, 5]))
        #expect(try reader.next() == .ecmaArray([AMF0Property("a", .null)]))
    }

    @Test("AMF3 inside ends the reading and keeps what came before")
    func keepsWhatCameBefore() {
        var bytes = Self.encoded(.string("publish"))
        bytes.writeBytes([0x11, 0x0A, 0x0B])
        var reader = AMF0Reader(bytes)
        #expect(reader.readable() == [.string("publish")])
    }
}
