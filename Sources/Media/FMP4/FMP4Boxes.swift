import NIOCore

extension ByteBuffer {
    /// The four letters of a box or brand.
    mutating func writeMP4Name(_ name: StaticString) {
        writeStaticString(name)
    }

    /// A box around what `body` writes (ISO/IEC 14496-12 4.2).
    mutating func writeMP4Box(_ name: StaticString, _ body: (inout ByteBuffer) -> Void) {
        let start = writerIndex
        writeInteger(UInt32(0))
        writeMP4Name(name)
        body(&self)
        setInteger(UInt32(truncatingIfNeeded: writerIndex &- start), at: start)
    }

    /// A box with version and flags.
    mutating func writeMP4FullBox(
        _ name: StaticString,
        version: UInt8 = 0,
        flags: UInt32 = 0,
        _ body: (inout ByteBuffer) -> Void
    ) {
        writeMP4Box(name) { box in
            box.writeInteger(UInt32(version) << 24 | flags)
            body(&box)
        }
    }

    mutating func writeMP4Zeros(_ count: Int) {
        writeRepeatingByte(0, count: count)
    }

    /// The transformation that changes nothing.
    mutating func writeMP4Matrix() {
        writeMultipleIntegers(
            UInt32(0x1_0000),
            UInt32(0),
            UInt32(0),
            UInt32(0),
            UInt32(0x1_0000),
            UInt32(0),
            UInt32(0),
            UInt32(0),
            UInt32(0x4000_0000)
        )
    }
}

extension FMP4Description {
    /// ISO/IEC 14496-12 8.2.2.
    static func writeMovieHeader(into moov: inout ByteBuffer) {
        moov.writeMP4FullBox("mvhd") { box in
            // Creation, modification, timescale, duration: 0, the fragments tell.
            box.writeMultipleIntegers(UInt32(0), UInt32(0), UInt32(1000), UInt32(0))
            box.writeMultipleIntegers(UInt32(0x1_0000), UInt16(0x100))
            box.writeMP4Zeros(10)
            box.writeMP4Matrix()
            box.writeMP4Zeros(24)
            box.writeInteger(audioTrack &+ 1)
        }
    }

    func writeTrack(_ picture: FMP4Picture, into moov: inout ByteBuffer) {
        moov.writeMP4Box("trak") { trak in
            Self.writeTrackHeader(
                Self.videoTrack,
                group: 0,
                volume: 0,
                width: picture.width,
                height: picture.height,
                into: &trak
            )
            trak.writeMP4Box("mdia") { media in
                Self.writeMediaHeader(timescale: Self.videoTimescale, into: &media)
                Self.writeHandler("vide", "VideoHandler\0", into: &media)
                media.writeMP4Box("minf") { information in
                    information.writeMP4FullBox("vmhd", flags: 1) { $0.writeMP4Zeros(8) }
                    Self.writeTables(into: &information, picture.writeEntry)
                }
            }
        }
    }

    func writeTrack(_ sound: FMP4Sound, into moov: inout ByteBuffer) {
        moov.writeMP4Box("trak") { trak in
            Self.writeTrackHeader(Self.audioTrack, group: 1, volume: 0x100, width: 0, height: 0, into: &trak)
            trak.writeMP4Box("mdia") { media in
                Self.writeMediaHeader(timescale: sound.timescale, into: &media)
                Self.writeHandler("soun", "SoundHandler\0", into: &media)
                media.writeMP4Box("minf") { information in
                    information.writeMP4FullBox("smhd") { $0.writeMP4Zeros(4) }
                    Self.writeTables(into: &information, sound.writeEntry)
                }
            }
        }
    }

    /// ISO/IEC 14496-12 8.3.2. Players take the shape of the picture from here: one field too many makes it absurd.
    private static func writeTrackHeader(
        _ track: UInt32,
        group: UInt16,
        volume: UInt16,
        width: Int,
        height: Int,
        into trak: inout ByteBuffer
    ) {
        // Enabled, in the movie.
        trak.writeMP4FullBox("tkhd", flags: 3) { box in
            // Creation, modification, track, reserved, duration; reserved.
            box.writeMultipleIntegers(UInt32(0), UInt32(0), track, UInt32(0), UInt32(0), UInt64(0))
            // Layer, alternate group, volume, reserved.
            box.writeMultipleIntegers(UInt16(0), group, volume, UInt16(0))
            box.writeMP4Matrix()
            box.writeMultipleIntegers(UInt32(clamping: width) << 16, UInt32(clamping: height) << 16)
        }
    }

    /// ISO/IEC 14496-12 8.4.2. The language is "und".
    private static func writeMediaHeader(timescale: Int, into media: inout ByteBuffer) {
        media.writeMP4FullBox("mdhd") { box in
            box.writeMultipleIntegers(UInt32(0), UInt32(0), UInt32(clamping: timescale), UInt32(0))
            box.writeMultipleIntegers(UInt16(0x55C4), UInt16(0))
        }
    }

    private static func writeHandler(_ kind: StaticString, _ name: StaticString, into media: inout ByteBuffer) {
        media.writeMP4FullBox("hdlr") { box in
            box.writeInteger(UInt32(0))
            box.writeMP4Name(kind)
            box.writeMP4Zeros(12)
            box.writeStaticString(name)
        }
    }

    /// dinf and stbl: the media is in this file, and the tables of samples are empty.
    private static func writeTables(into information: inout ByteBuffer, _ writeEntry: (inout ByteBuffer) -> Void) {
        information.writeMP4Box("dinf") { box in
            box.writeMP4FullBox("dref") { references in
                references.writeInteger(UInt32(1))
                references.writeMP4FullBox("url ", flags: 1) { _ in }
            }
        }
        information.writeMP4Box("stbl") { table in
            table.writeMP4FullBox("stsd") { box in
                box.writeInteger(UInt32(1))
                writeEntry(&box)
            }
            table.writeMP4FullBox("stts") { $0.writeInteger(UInt32(0)) }
            table.writeMP4FullBox("stsc") { $0.writeInteger(UInt32(0)) }
            table.writeMP4FullBox("stsz") { $0.writeInteger(UInt64(0)) }
            table.writeMP4FullBox("stco") { $0.writeInteger(UInt32(0)) }
        }
    }
}
