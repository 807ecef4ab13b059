/// What a muxer of fragmented MP4 left out, filled in and set right.
package struct FMP4Statistics: Hashable, Sendable {
    /// Frames of a track that is not described, empty ones, and sound whose length cannot be told.
    package var droppedFrames = 0
    /// Frames of sound that came for time that had its sound (or silence) already, whole or in part.
    package var lateSounds = 0
    /// Samples (MP4's: frames of sound) of silence that were put in.
    package var filledSounds = 0
    /// The picture's or the sound's clock began anew; time goes on without a jump.
    package var timeJumps = 0
    /// Frames that a part had no room for, and pictures after them up to the next key frame.
    package var overflow = 0

    package init() {}
}
