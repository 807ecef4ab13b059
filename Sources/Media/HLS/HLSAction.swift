package import NIOCore

/// What a segmenter made of a stream, in order: for the window that lists it, for files, for hooks.
package enum HLSAction: Hashable, Sendable {
    /// Fragmented MP4: the parameters that the segments after it need.
    case initialization(HLSInitialization)
    /// Once, when the first segments are known: what the playlist promises for its whole life.
    case target(HLSTarget)
    case opened(HLSOpening)
    /// Fragmented MP4: a whole part of the open segment.
    case part(HLSPart)
    case closed(HLSClosing)
}

package struct HLSInitialization: Hashable, Sendable {
    /// Counts from 0 in a publication.
    package var number: Int
    package var name: String
    package var bytes: ByteBuffer
    /// RFC 6381, as CODECS has them.
    package var codecs: String
    /// In pixels; 0 when not known or without a picture.
    package var width: Int
    package var height: Int
}

package struct HLSTarget: Hashable, Sendable {
    /// EXT-X-TARGETDURATION, in seconds.
    package var seconds: Int
    /// PART-TARGET in 1/90000 s; 0 for MPEG-TS.
    package var part: Int64
    /// Pictures a second; nil for sound alone.
    package var frameRate: Double?
}

package struct HLSOpening: Hashable, Sendable {
    /// The media sequence number.
    package var number: Int
    package var name: String
    /// Milliseconds since 1970 of its first picture.
    package var wallClock: Int64
    /// Its times, or its parameters, do not continue those of the one before; always for the first.
    package var isDiscontinuous: Bool
    /// A decoder can start at its first picture.
    package var isIndependent: Bool
}

package struct HLSPart: Hashable, Sendable {
    /// Of the segment.
    package var number: Int
    /// Within it, from 0.
    package var index: Int
    package var name: String
    /// In 1/90000 s.
    package var duration: Int64
    /// A decoder can start in it.
    package var isIndependent: Bool
    package var bytes: ByteBuffer
}

package struct HLSClosing: Hashable, Sendable {
    package var number: Int
    package var name: String
    /// From its first picture to the next segment's, in 1/90000 s: the last one's to the end of its last frame.
    package var duration: Int64
    /// The whole segment; for fragmented MP4 its parts one after the other.
    package var bytes: ByteBuffer
}
