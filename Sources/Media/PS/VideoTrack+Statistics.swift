extension VideoTrack {
    package struct Statistics: Equatable, Sendable {
        package var frames = 0
        package var keyFrames = 0
        package var parameterChanges = 0
        /// Pictures that lost a part, by a gap or by being cut.
        package var damaged = 0
        /// Whole pictures that were withheld because no key frame came before them.
        package var awaitingKeyFrame = 0
        /// Key frames without parameter sets.
        package var missingParameters = 0
        /// Pictures beyond the largest size.
        package var oversized = 0
        package var unknownCodec = 0
        /// The map said one codec, the bits another.
        package var codecCorrections = 0
        package var timestampJumps = 0
        package var timeSourceChanges = 0
    }
}
