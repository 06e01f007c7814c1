#if DEBUG
    internal import Archive
    internal import Exports
    private import Glibc
    internal import SystemPackage

    /// Stops this process at a step of an export, so that a test can kill it there. In debug builds only.
    ///
    /// If the directory that `TEST_STOPS` names has a file with the name of the step, the process removes the file and stops itself
    /// with SIGSTOP.
    ///
    /// SAFETY, for every `unsafe` here: the system reads the path during the call; the text of the environment is copied.
    enum StepStop {
        private static let directory = unsafe getenv("TEST_STOPS").map { unsafe String(cString: $0) }

        static func reached(_ step: Step) {
            guard let directory, unsafe unlink("\(directory)/\(step.rawValue)") == 0 else { return }
            // To this thread: if it is sent to the process, another thread may take it while this one continues.
            raise(SIGSTOP)
        }

        /// Blocks this thread for as long as the directory has a file `hang-NAME`: a disk that does not answer.
        static func hang(_ name: String?) {
            guard let directory, let name else { return }
            while unsafe access("\(directory)/hang-\(name)", F_OK) == 0 { usleep(10_000) }
        }
    }

    /// The system's calls, which stop at the steps of an export.
    struct StepCalls: FileSystemCalls {
        private let calls = SystemCalls()

        func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
            StepStop.hang(path.lastComponent?.string)
            return try calls.open(path)
        }

        func sync(_ file: FileDescriptor) throws(Errno) {
            var status = stat()
            // SAFETY: the system fills one structure. The sync of a directory is not a step.
            if unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG { StepStop.reached(.sync) }
            try calls.sync(file)
        }

        func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
            StepStop.reached(.rename)
            try calls.rename(path, to: target)
        }
    }
#endif
