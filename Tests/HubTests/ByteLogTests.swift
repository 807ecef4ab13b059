import CSockets
import NIOCore
import NIOEmbedded
import Testing

@testable import Hub

/// A generator with a seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// A log whose messages say what they are: 4 bytes number, 4 bytes length, then the low byte of the number.
struct NumberedLog {
    let pool = SlabPool(warmBytes: 1 << 20)
    let log: ByteLog
    var count = 0

    /// The slowest reader; it stands at the beginning until it is moved.
    let progress = ReadProgress()

    init(_ settings: LogSettings = LogSettings()) {
        log = ByteLog(id: 1, format: .flv, settings: settings, pool: pool)
        let registry = StreamRegistry(configuration: HubConfiguration(), loops: 1, onEvent: { _ in })
        let dispatcher = LoopDispatcher(loop: EmbeddedEventLoop(), index: 0, registry: registry)
        log.readers = [StreamRegistry.Reader(dispatcher: dispatcher, format: .flv, progress: progress)]
    }

    static func message(_ number: Int, length: Int) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt32(number))
        buffer.writeInteger(UInt32(length))
        buffer.writeRepeatingByte(UInt8(truncatingIfNeeded: number), count: length - 8)
        return Array(buffer.readableBytesView)
    }

    mutating func append(length: Int, isKey: Bool = false, headers: Int = 1) {
        let preamble = Preamble(
            version: headers,
            fileHeader: ByteBlock(ByteBuffer(string: "<file>")),
            headers: ByteBlock(ByteBuffer(string: "<headers \(headers)>"))
        )
        Self.message(count, length: length).withUnsafeBytes { bytes in
            _ = log.append(bytes, timestamp: UInt32(count * 40), preamble: isKey ? preamble : nil)
        }
        count += 1
    }
}

/// Reads what a cursor would send.
struct CursorReader {
    var cursor = ViewerCursor()
    var received: [UInt8] = []

    /// Takes at most `most` bytes, as a socket would.
    mutating func take(_ most: Int, from view: LogView?) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors in
            let (count, bytes) = cursor.gather(from: view, into: vectors, limit: .max)
            var left = min(most, bytes)
            let taken = left
            for vector in vectors.prefix(count) {
                let part = min(left, vector.iov_len)
                received.append(contentsOf: UnsafeRawBufferPointer(start: vector.iov_base, count: part))
                left -= part
            }
            cursor.advance(by: taken, in: view)
            return taken
        }
    }

    /// The numbers of the whole messages after the texts in angle brackets; nil when something else is found.
    func messages() -> [Int]? {
        var numbers: [Int] = []
        var buffer = ByteBuffer(bytes: received)
        while buffer.readableBytes > 0 {
            if buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == UInt8(ascii: "<") {
                guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: ">")) else { return nil }
                buffer.moveReaderIndex(to: end + 1)
                continue
            }
            guard
                let number = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self).map(Int.init),
                let length = buffer.getInteger(at: buffer.readerIndex + 4, as: UInt32.self).map(Int.init),
                let bytes = buffer.readBytes(length: length),
                bytes == NumberedLog.message(number, length: length)
            else { return nil }
            numbers.append(number)
        }
        return numbers
    }
}

@Suite struct ByteLogTests {
    @Test func keepsMessagesWholeAcrossSlabs() {
        var numbered = NumberedLog()
        var random = SeededGenerator(1)
        for index in 0..<400 {
            numbered.append(
                length: Int.random(in: 8...(index % 20 == 0 ? 200_000 : 5000), using: &random),
                isKey: index == 0
            )
        }
        let view = LogView(numbered.log.snapshot())
        var reader = CursorReader()
        let started = reader.cursor.start(in: view)
        #expect(started != nil)
        while reader.take(Int.random(in: 1...300_000, using: &random), from: view) > 0 {}
        #expect(reader.messages() == Array(0..<400))
    }

    @Test func findsTheEndOfEveryMessage() {
        var numbered = NumberedLog()
        var random = SeededGenerator(2)
        var ends: [Int] = []
        var total = 0
        for index in 0..<200 {
            let length = Int.random(in: 8...40_000, using: &random)
            numbered.append(length: length, isKey: index == 0)
            total += length
            ends.append(total)
        }
        let view = LogView(numbered.log.snapshot())
        var at = LogPosition(slab: 0, offset: 0)
        for end in ends {
            let next = view.messageEnd(after: at)
            #expect(view.bytes(before: next) == end)
            // Any place inside of the message has the same end.
            let inside = LogPosition(slab: at.slab, offset: at.offset + 1)
            #expect(view.boundary(atOrAfter: inside) == next)
            at = view.normalised(next)
        }
        #expect(at == view.end)
    }

    @Test func keepsTwoGroupsOfPicturesAndThenLimitsMemory() {
        var numbered = NumberedLog()
        for index in 0..<100 {
            numbered.append(length: 20_000, isKey: index % 10 == 0)
            numbered.log.forgetChanges()
            numbered.log.trim(to: 16 << 20)
            numbered.log.forgetChanges()
        }
        let log = numbered.log
        #expect(log.key?.timestamp == UInt32(90 * 40))
        #expect(log.memory <= 20 * 20_000 + 2 * Slab.size)
        #expect(LogView(log.snapshot()).slabs.first.map { $0.slab.position <= 80 * 20_000 } == true)
        // Without further key frames the oldest slabs go, and with them the place to start.
        for _ in 0..<100 {
            numbered.append(length: 20_000)
            log.trim(to: 10 * Slab.size)
        }
        #expect(log.memory == 10 * Slab.size)
        #expect(log.key == nil)
        var reader = CursorReader()
        let started = reader.cursor.start(in: LogView(log.snapshot()))
        #expect(started == nil)
    }

    /// A publisher that was held up sends seconds at once: who has read all that there was is not behind.
    @Test func keepsABurstForThoseWhoHaveNotHeardOfIt() {
        var numbered = NumberedLog()
        for index in 0..<20 {
            numbered.append(length: 20_000, isKey: index % 10 == 0)
            numbered.log.trim(to: 16 << 20)
        }
        let end = LogView(numbered.log.snapshot()).end.slab
        numbered.log.forgetChanges()
        numbered.progress.set(log: 1, oldest: end)
        for index in 20..<60 {
            numbered.append(length: 20_000, isKey: index % 10 == 0)
            numbered.log.trim(to: 16 << 20)
        }
        #expect(numbered.log.takeChanges().first <= end)
        // Told of all, a reader that stays there is.
        for index in 60..<62 {
            numbered.append(length: 20_000, isKey: index == 60)
            numbered.log.trim(to: 16 << 20)
        }
        #expect(numbered.log.takeChanges().first > end)
    }

    @Test func givesMemoryBack() {
        let pool = SlabPool(warmBytes: 4 * Slab.size)
        var slabs: [Slab] = (0..<40).compactMap { pool.slab($0) }
        #expect(pool.slabsInUse == 40)
        slabs.removeAll()
        #expect(pool.slabsInUse == 0)
        #expect(pool.warmSlabs == 4)
        // Memory that went back to the system can be used again.
        let again = (0..<40).compactMap { pool.slab($0) }
        for slab in again { slab.base.storeBytes(of: UInt8(7), as: UInt8.self) }
        #expect(Set(again.map(\.base)).count == 40)
    }

    @Test("half of what is in use stays warm for streams that begin a new group together")
    func keepsMemoryForTheNextGroups() {
        let pool = SlabPool(warmBytes: 4 * Slab.size)
        var slabs: [Slab] = (0..<90).compactMap { pool.slab($0) }
        slabs.removeFirst(30)
        #expect(pool.warmSlabs == 30)
        slabs.removeFirst(40)
        #expect(pool.slabsInUse == 20)
        #expect(pool.warmSlabs == 10)
    }
}

@Suite struct ViewerCursorTests {
    /// A viewer of random slowness never sees a torn message, and continues at a key frame after a gap.
    @Test(arguments: 0..<20)
    func lagsOutOnlyAtMessageBoundaries(seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        var numbered = NumberedLog()
        numbered.append(length: 30_000, isKey: true)
        let view = LogView(numbered.log.snapshot())
        numbered.log.forgetChanges()
        var reader = CursorReader()
        let started = reader.cursor.start(in: view)
        #expect(started != nil)
        var keys = [0]
        var skips = 0
        for round in 0..<600 {
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let isKey = numbered.count % 25 == 0
                if isKey { keys.append(numbered.count) }
                numbered.append(length: isKey ? 120_000 : Int.random(in: 8...9000, using: &random), isKey: isKey)
                numbered.log.trim(to: 12 * Slab.size)
            }
            let update = numbered.log.takeChanges()
            if let position = reader.cursor.position, position.slab < update.first, position != view.end {
                reader.cursor.leave(view)
                skips += 1
            }
            view.apply(update)
            if reader.cursor.position == nil { _ = reader.cursor.start(in: view) }
            // Stands still for a while now and then.
            if round / 40 % 3 != 1 { _ = reader.take(Int.random(in: 0...60_000, using: &random), from: view) }
        }
        while reader.take(1000, from: view) > 0 {}
        let numbers = try #require(reader.messages())
        #expect(skips > 0)
        #expect(numbers.first == 0)
        #expect(numbers.last == numbered.count - 1)
        for (previous, next) in zip(numbers, numbers.dropFirst()) where next != previous + 1 {
            #expect(next > previous)
            #expect(keys.contains(next))
        }
    }

    @Test func putsControlBytesBetweenMessages() throws {
        var numbered = NumberedLog()
        for index in 0..<10 { numbered.append(length: 50_000, isKey: index == 0) }
        let view = LogView(numbered.log.snapshot())
        var reader = CursorReader()
        _ = reader.cursor.start(in: view)
        for _ in 0..<9 {
            _ = reader.take(47_001, from: view)
            reader.cursor.insert(ByteBlock(ByteBuffer(string: "<pong>")), in: view)
        }
        while reader.take(10_000, from: view) > 0 {}
        #expect(reader.messages() == Array(0..<10))
        let pongs = String(decoding: reader.received, as: UTF8.self).occurrences("<pong>")
        #expect(pongs == 9)
        #expect(reader.cursor.controlBytes == 0)
    }

    @Test func sendsTheFileHeaderOnceAndHeadersWhenTheyChange() {
        var numbered = NumberedLog()
        numbered.append(length: 100, isKey: true, headers: 1)
        let view = LogView(numbered.log.snapshot())
        var reader = CursorReader()
        _ = reader.cursor.start(in: view)
        while reader.take(1000, from: view) > 0 {}
        for headers in [1, 2] {
            numbered.append(length: 100, isKey: true, headers: headers)
            view.apply(numbered.log.takeChanges())
            reader.cursor.leave(view)
            _ = reader.cursor.start(in: view)
            while reader.take(1000, from: view) > 0 {}
        }
        let text = String(decoding: reader.received, as: UTF8.self)
        #expect(["<file>", "<headers 1>", "<headers 2>"].map(text.occurrences) == [1, 1, 1])
        #expect(reader.messages() == [0, 1, 2])
    }

    @Test func survivesUpdatesThatItHasMissed() {
        var numbered = NumberedLog()
        numbered.append(length: 5000, isKey: true)
        let view = LogView(numbered.log.snapshot())
        numbered.log.forgetChanges()
        var reader = CursorReader()
        _ = reader.cursor.start(in: view)
        _ = reader.take(1000, from: view)
        // So much at once that slabs were evicted before anybody heard of them.
        for index in 1..<500 {
            numbered.append(length: 9000, isKey: index % 100 == 0)
            numbered.log.trim(to: 8 * Slab.size)
        }
        numbered.append(length: 9000, isKey: true)
        let update = numbered.log.takeChanges()
        reader.cursor.leave(view)
        view.apply(update)
        _ = reader.cursor.start(in: view)
        while reader.take(100_000, from: view) > 0 {}
        #expect(reader.messages() == [0, 500])
    }
}

extension SlabPool {
    fileprivate func slab(_ position: Int) -> Slab? {
        take().map { Slab($0, of: self, position: position, timestamp: 0) }
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func occurrences(_ text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
