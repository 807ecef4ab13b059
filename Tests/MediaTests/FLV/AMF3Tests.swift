import NIOCore
import Testing

@testable import Media

/// The bytes follow the AMF3 specification, section 3.
@Suite("AMF3 values among AMF0 values")
struct AMF3Tests {
    private static func read(_ bytes: [UInt8]) throws -> AMF0Value? {
        var reader = AMF0Reader(ByteBuffer(bytes: [0x11] + bytes))
        let value = try reader.next()
        #expect(reader.isAtEnd)
        return value
    }

    @Test(
        "simple values",
        arguments: [
            ([0x00], AMF0Value.undefined), ([0x01], .null), ([0x02], .boolean(false)), ([0x03], .boolean(true)),
            ([0x04, 0x7F], .number(127)), ([0x04, 0x81, 0x00], .number(128)),
            ([0x04, 0xFF, 0xFF, 0xFF, 0xFF], .number(-1)), ([0x04, 0xBF, 0xFF, 0xFF, 0xFF], .number(268_435_455)),
            ([0x05, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0], .number(1.5)), ([0x06, 0x05, 0x68, 0x69], .string("hi")),
            ([0x06, 0x01], .string("")), ([0x08, 0x01, 0, 0, 0, 0, 0, 0, 0, 0], .date(0)),
            ([0x0C, 0x05, 1, 2], .undefined), ([0x07, 0x03, 0x61], .string("a")),
        ] as [([UInt8], AMF0Value)]
    )
    func readsSimple(bytes: [UInt8], value: AMF0Value) throws {
        #expect(try Self.read(bytes) == value)
    }

    @Test("objects: sealed and dynamic properties, names and traits by reference")
    func readsObjects() throws {
        // Array of two objects of a class with the member "a"; the second uses the traits of the first.
        let objects = try Self.read([
            0x09, 0x05, 0x01, 0x0A, 0x13, 0x01, 0x03, 0x61, 0x04, 1, 0x0A, 0x01, 0x04, 2,
        ])
        #expect(
            objects
                == .strictArray([
                    .object([AMF0Property("a", .number(1))]), .object([AMF0Property("a", .number(2))]),
                ])
        )
        // {b: "x", c: "x"}: the second "x" is a reference to string 1.
        let dynamic = try Self.read([0x0A, 0x0B, 0x01, 0x03, 0x62, 0x06, 0x03, 0x78, 0x03, 0x63, 0x06, 0x02, 0x01])
        #expect(dynamic == .object([AMF0Property("b", .string("x")), AMF0Property("c", .string("x"))]))
    }

    @Test("values behind it are read on")
    func readsOn() {
        var reader = AMF0Reader(ByteBuffer(bytes: [0x11, 0x04, 5, 0x01, 0x01]))
        #expect(reader.readable() == [.number(5), .boolean(true)])
    }

    @Test("cut short anywhere it is an error, and so are depth and unknown markers")
    func refuses() {
        let whole: [UInt8] = [0x09, 0x05, 0x01, 0x0A, 0x13, 0x01, 0x03, 0x61, 0x04, 1, 0x0A, 0x01, 0x04, 2]
        for length in 0..<whole.count {
            #expect(throws: AMF0Error.self) { try Self.read(Array(whole.prefix(length))) }
        }
        let deep = Array(repeating: [0x09, 0x03, 0x01] as [UInt8], count: 40).flatMap { $0 }
        #expect(throws: AMF0Error.tooDeep) { try Self.read(deep) }
        #expect(throws: AMF0Error.unsupportedMarker(0x0D)) { try Self.read([0x0D]) }
        #expect(throws: AMF0Error.unsupportedMarker(10)) { try Self.read([0x0A, 0x07, 0x01]) }
        #expect(throws: AMF0Error.truncated) { try Self.read([0x06, 0x02]) }
        #expect(throws: AMF0Error.truncated) { try Self.read([0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]) }
    }
}
