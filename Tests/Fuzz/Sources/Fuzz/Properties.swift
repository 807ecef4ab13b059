import NIOCore

/// A stream as a connection may bring it: pieces whose sizes follow from one byte of the input. 0 is byte by byte.
func pieces(_ stream: [UInt8], cut: UInt8) -> [ByteBuffer] {
    var all: [ByteBuffer] = []
    var state = UInt32(cut) &* 2_654_435_761
    let largest = cut < 64 ? UInt32(cut) + 1 : cut < 192 ? 200 : 5_000
    var at = 0
    while at < stream.count {
        state = state &* 1_664_525 &+ 1_013_904_223
        // Byte by byte only as far as it goes quickly.
        let size = at < 20_000 ? Int(state >> 8 % largest) + 1 : 4_096
        let end = min(at + size, stream.count)
        all.append(ByteBuffer(bytes: stream[at..<end]))
        at = end
    }
    return all
}

/// About how many bytes a value keeps alive: the capacities of its buffers, arrays and strings, whatever layer of it they are in.
/// Buffers that share memory count for each. It takes longer than most inputs do: ask for it now and then.
func footprint(_ value: Any) -> Int {
    switch value {
    case let buffer as ByteBuffer: return buffer.storageCapacity
    case let bytes as [UInt8]: return bytes.capacity
    case let text as String: return text.utf8.count
    default: return Mirror(reflecting: value).children.reduce(16) { $0 + footprint($1.value) }
    }
}

/// Traps where two lists differ, and shows where they do first.
func require<Element: Equatable>(_ found: [Element], is expected: [Element], _ text: String) {
    guard found != expected else { return }
    let index = zip(found, expected).enumerated().first { $1.0 != $1.1 }?.offset ?? min(found.count, expected.count)
    func shown(_ list: [Element]) -> String { index < list.count ? "\(list[index])" : "nothing" }
    fatalError("\(text): at \(index) of \(expected.count): expected \(shown(expected)), found \(shown(found))")
}

/// Takes what an input is to say beside its stream off its front.
struct InputReader {
    private var rest: ArraySlice<UInt8>

    init(_ input: [UInt8]) {
        rest = input[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// 0 at the end.
    mutating func byte() -> UInt8 {
        rest.popFirst() ?? 0
    }

    mutating func uint32() -> UInt32 {
        (0..<4).reduce(0) { value, _ in value << 8 | UInt32(byte()) }
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let part = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return part
    }

    mutating func remaining() -> [UInt8] {
        bytes(rest.count)
    }
}
